// SPDX-License-Identifier: Apache-2.0
#include "client/sse.h"

#include <algorithm>

namespace qiao {

Result<bool> SseParser::feed(std::string_view bytes, const OnEvent& on_event) {
  while (!bytes.empty()) {
    if (after_return_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_return_ = false;
    const std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
    line_.append(bytes.substr(0, end));
    if (line_.size() + event_.data.size() > kEventBytesMax) {
      return Error{Code::kCorrupt, "the server sent an event larger than 16 MiB"};
    }
    if (end == bytes.size()) return true;
    after_return_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (!end_line(on_event)) return false;
  }
  return true;
}

bool SseParser::end_line(const OnEvent& on_event) {
  if (!line_.empty()) {
    const std::string_view line = line_;
    const std::size_t colon = std::min(line.find(':'), line.size());
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    take_field(line.substr(0, colon), value);
    line_.clear();
    return true;
  }
  const bool wanted = !has_data_ || on_event(event_);
  event_.type = "message";
  event_.data.clear();
  has_data_ = false;
  return wanted;
}

void SseParser::take_field(std::string_view name, std::string_view value) {
  if (name == "data") {
    if (has_data_) event_.data += '\n';
    event_.data.append(value);
    has_data_ = true;
  } else if (name == "event") {
    event_.type = value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    event_.id = value;
  }
}

}  // namespace qiao
