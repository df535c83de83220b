// SPDX-License-Identifier: Apache-2.0
// Whole requests: however the bytes are cut, the reader comes to the same end within its limits.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "net/request_reader.h"

namespace {

using qiao::net::RequestReader;
using Stage = RequestReader::Stage;

struct End {
  Stage stage = Stage::kHeader;
  int fault = 0;
  std::string path;
  std::string body;
  friend bool operator==(const End&, const End&) = default;
};

End read(std::string_view text, std::size_t piece) {
  qiao::HttpServerOptions options;
  options.header_bytes_max = 2'048;
  options.body_bytes_max = 4'096;
  RequestReader reader(options);
  std::string held;
  const auto reading = [&] { return reader.stage() < Stage::kDone; };
  while (reading() && !text.empty()) {
    held += text.substr(0, piece);
    text.remove_prefix(std::min(piece, text.size()));
    for (std::size_t used = 1; used > 0 && reading() && !held.empty();) {
      const Stage before = reader.stage();
      used = reader.feed(held);
      QIAO_CHECK(used <= held.size());
      held.erase(0, used);
      if (reader.stage() != before) used = 1;
    }
    QIAO_CHECK(!reading() || held.size() <= options.header_bytes_max);
  }
  End end{reader.stage(), 0, {}, {}};
  if (end.stage == Stage::kFault) end.fault = reader.fault().status;
  if (end.stage != Stage::kDone) return end;
  qiao::HttpRequest request = reader.take("peer");
  end.path = std::move(request.path);
  end.body = std::move(request.body);
  QIAO_CHECK(end.body.size() <= options.body_bytes_max);
  return end;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const void* bytes = data;
  const std::string_view text(static_cast<const char*>(bytes), size);
  const End whole = read(text, text.size() + 1);
  const End cut = read(text, 1 + size % 7);
  // Which fault of several is seen first may depend on the cut; what is understood may not.
  QIAO_CHECK((whole.stage == Stage::kDone) == (cut.stage == Stage::kDone));
  if (whole.stage == Stage::kDone) QIAO_CHECK(whole == cut);
  return 0;
}
