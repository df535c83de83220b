// SPDX-License-Identifier: Apache-2.0
#include "model/provider/provider_sse.h"

#include <algorithm>

namespace qiao::model {

Status SseParser::feed(std::string_view bytes, const OnData& on_data) {
  while (!bytes.empty()) {
    if (after_return_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_return_ = false;
    const std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
    line_.append(bytes.substr(0, end));
    if (line_.size() + data_.size() > kEventBytesMax) {
      return Error{Code::kModelFailed, "the provider sent an event larger than 4 MiB"};
    }
    if (end == bytes.size()) return {};
    after_return_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    QIAO_TRY(end_line(on_data));
  }
  return {};
}

Status SseParser::finish(const OnData& on_data) {
  if (!line_.empty()) QIAO_TRY(end_line(on_data));
  return end_line(on_data);
}

Status SseParser::end_line(const OnData& on_data) {
  constexpr std::string_view kData = "data:";
  std::string_view line = line_;
  Status result;
  if (line.empty() && has_data_) {
    result = on_data(data_);
    data_.clear();
    has_data_ = false;
  } else if (line.starts_with(kData)) {
    line.remove_prefix(kData.size());
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (has_data_) data_ += '\n';
    data_.append(line);
    has_data_ = true;
  }
  line_.clear();
  return result;
}

}  // namespace qiao::model
