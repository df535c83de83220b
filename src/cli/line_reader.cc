// SPDX-License-Identifier: Apache-2.0
#include "cli/line_reader.h"

#include <poll.h>
#include <unistd.h>

namespace qiao::cli {

std::optional<std::string> LineReader::next() {
  while (true) {
    if (auto line = take_line()) return line;
    if (at_end_ || !fill(-1)) return std::nullopt;
  }
}

std::optional<std::string> LineReader::waiting() {
  auto line = take_line();
  if (line || at_end_ || !fill(0)) return line;
  return take_line();
}

bool LineReader::ended() {
  if (buffer_.empty() && !at_end_) fill(0);
  return buffer_.empty() && at_end_;
}

std::optional<std::string> LineReader::take_line() {
  std::size_t end = buffer_.find('\n');
  const bool whole = end != std::string::npos;
  if (!whole && buffer_.size() >= kLineBytesMax) end = kLineBytesMax;
  if (end == std::string::npos && at_end_ && !buffer_.empty()) end = buffer_.size();
  if (end == std::string::npos) return std::nullopt;
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + (whole ? 1 : 0));
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

bool LineReader::fill(int timeout_ms) {
  pollfd watched[] = {{fd_, POLLIN, 0}, {interrupts_.fd(), POLLIN, 0}};
  if (::poll(watched, 2, timeout_ms) <= 0 || watched[1].revents != 0) return false;
  char bytes[4096];
  const ssize_t n = ::read(fd_, bytes, sizeof bytes);
  if (n > 0) buffer_.append(bytes, static_cast<std::size_t>(n));
  at_end_ = n <= 0;
  return true;
}

}  // namespace qiao::cli
