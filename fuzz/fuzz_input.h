// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"

namespace qiao::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  const void* bytes = data;
  return {static_cast<const char*>(bytes), size};
}

// The input as a file in memory, for parsers that take a path.
class InputFile {
 public:
  explicit InputFile(std::string_view bytes) : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    QIAO_CHECK(fd_ >= 0);
    QIAO_CHECK(::write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~InputFile() { ::close(fd_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

// Gives `text` in pieces of `piece` bytes.
template <class Feed>
void in_pieces(std::string_view text, std::size_t piece, const Feed& feed) {
  while (!text.empty()) {
    feed(text.substr(0, piece));
    text.remove_prefix(std::min(piece, text.size()));
  }
}

}  // namespace qiao::fuzz
