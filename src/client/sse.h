// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace qiao {

struct SseEvent {
  std::string id;  // of this event or the last one before it that had one
  std::string type = "message";
  std::string data;
};

// Cuts a stream of server-sent events (HTML standard, §9.2) into events. Takes bytes in any
// pieces; comments and unknown fields are passed over. A line or event past kEventBytesMax is
// `corrupt`. One thread at a time.
class SseParser {
 public:
  static constexpr std::size_t kEventBytesMax = 16 << 20;
  // False: the reader wants no more.
  using OnEvent = std::function<bool(const SseEvent& event)>;

  // Success: false when `on_event` wanted no more; the rest of `bytes` is dropped then.
  Result<bool> feed(std::string_view bytes, const OnEvent& on_event);

 private:
  bool end_line(const OnEvent& on_event);
  void take_field(std::string_view name, std::string_view value);

  std::string line_;
  SseEvent event_;
  bool has_data_ = false;
  bool after_return_ = false;  // the last byte was '\r': a '\n' belongs to it
};

}  // namespace qiao
