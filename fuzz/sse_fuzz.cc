// SPDX-License-Identifier: Apache-2.0
// Server-sent events, as our client and as a provider's reader take them: however the bytes are
// cut, the same events come out.
#include <cstdint>
#include <vector>

#include "client/sse.h"
#include "fuzz_input.h"
#include "model/provider/provider_sse.h"

namespace {

std::vector<std::string> client_events(std::string_view text, std::size_t piece) {
  qiao::SseParser parser;
  std::vector<std::string> events;
  qiao::fuzz::in_pieces(text, piece, [&](std::string_view bytes) {
    const auto fed = parser.feed(bytes, [&](const qiao::SseEvent& event) {
      events.push_back(event.id + "\n" + event.type + "\n" + event.data);
      return true;
    });
    QIAO_CHECK(fed.has_value() && *fed);
  });
  return events;
}

std::vector<std::string> provider_events(std::string_view text, std::size_t piece) {
  qiao::model::SseParser parser;
  std::vector<std::string> events;
  const auto take = [&](std::string_view data) {
    events.emplace_back(data);
    return qiao::Status();
  };
  qiao::fuzz::in_pieces(text, piece, [&](std::string_view bytes) {
    QIAO_CHECK(parser.feed(bytes, take).has_value());
  });
  QIAO_CHECK(parser.finish(take).has_value());
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = qiao::fuzz::text_of(data, size);
  const std::size_t piece = 1 + size % 5;
  QIAO_CHECK(client_events(text, text.size() + 1) == client_events(text, piece));
  QIAO_CHECK(provider_events(text, text.size() + 1) == provider_events(text, piece));
  return 0;
}
