// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace qiao::learn {

// A file of tokens: unsigned, little-endian, `width` bytes each, nothing else.
struct TokenFile {
  std::string path;
  std::size_t tokens = 0;
};
inline constexpr std::size_t kTokenFilesMax = 65'536;

// Tokens one behind the other: in memory, or a stretch of files that the kernel reads in as they
// are looked at, so that a row may be longer than memory. A value; copies share the tokens.
// Immutable, thread-safe.
class TokenRow {
 public:
  TokenRow() = default;
  explicit TokenRow(std::vector<std::int64_t> tokens);
  // The files as one row. Their sizes are checked, their content is not: token_folder.h does.
  // They must stay as they are. Requires: width 2 or 4.
  static Result<TokenRow> map(const std::vector<TokenFile>& files, std::size_t width);

  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  // Requires: place < size().
  [[nodiscard]] std::int64_t operator[](std::size_t place) const;
  // `count` tokens from `place` on. Requires: place + count <= size().
  void copy(std::size_t place, std::size_t count, std::int64_t* out) const;
  // Requires: begin <= end <= size().
  [[nodiscard]] TokenRow slice(std::size_t begin, std::size_t end) const;

  // Where they lie.
  class Store {
   public:
    Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    virtual ~Store() = default;
    [[nodiscard]] virtual std::size_t size() const = 0;
    virtual void copy(std::size_t place, std::size_t count, std::int64_t* out) const = 0;
  };

 private:
  explicit TokenRow(std::shared_ptr<const Store> store);
  std::shared_ptr<const Store> store_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace qiao::learn
