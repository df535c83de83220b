// SPDX-License-Identifier: Apache-2.0
// Stored bytes: a message, and a record of the kind that the first byte names. What is understood
// comes back the same from what is written of it.
#include <cstdint>

#include "fuzz_input.h"
#include "log/record.h"
#include "message/message.h"

namespace {

void read_message(std::string_view bytes) {
  const auto message = qiao::decode_message(bytes);
  if (!message) return;
  std::string again;
  qiao::encode(*message, again);
  const auto twin = qiao::decode_message(again);
  QIAO_CHECK(twin.has_value());
  std::string third;
  qiao::encode(*twin, third);
  QIAO_CHECK(again == third);
}

void read_record(std::string_view bytes) {
  const qiao::LogRecord stored{static_cast<std::uint8_t>(bytes.front()),
                               std::string(bytes.substr(1))};
  const auto record = qiao::decode_record(stored);
  if (!record) return;
  const qiao::LogRecord again = qiao::encode(*record);
  QIAO_CHECK(again.kind == stored.kind);
  const auto twin = qiao::decode_record(again);
  QIAO_CHECK(twin.has_value());
  QIAO_CHECK(qiao::encode(*twin).bytes == again.bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = qiao::fuzz::text_of(data, size);
  read_message(bytes);
  if (!bytes.empty()) read_record(bytes);
  return 0;
}
