// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace qiao::model {

// Cuts a stream of server-sent events (HTML standard, §9.2) into the data of each event; other
// fields and comments are passed over. Takes bytes in any pieces. An event or line past
// kEventBytesMax is `model_failed`. One thread.
class SseParser {
 public:
  static constexpr std::size_t kEventBytesMax = 4 << 20;
  using OnData = std::function<Status(std::string_view data)>;

  // Stops at the first Error of `on_data` and returns it.
  Status feed(std::string_view bytes, const OnData& on_data);
  // The stream has ended: gives the last event if no empty line closed it.
  Status finish(const OnData& on_data);

 private:
  Status end_line(const OnData& on_data);

  std::string line_;
  std::string data_;
  bool has_data_ = false;
  bool after_return_ = false;  // the last byte was '\r': a '\n' belongs to it
};

}  // namespace qiao::model
