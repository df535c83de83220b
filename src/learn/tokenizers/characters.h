// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace qiao::learn {

inline constexpr std::size_t kCharactersMax = 1 << 16;

// A vocabulary of single characters: every code point of a text, in rising order. Immutable,
// thread-safe.
class Characters {
 public:
  // Requires: rising, without repeats.
  explicit Characters(std::u32string all);
  // `unsupported` past kCharactersMax different ones.
  static Result<Characters> of_text(std::string_view text);

  [[nodiscard]] std::size_t size() const { return all_.size(); }
  [[nodiscard]] const std::u32string& all() const { return all_; }
  // Characters that are not in the vocabulary are left out.
  [[nodiscard]] std::vector<std::int64_t> encode(std::string_view text) const;
  [[nodiscard]] std::string decode(std::int64_t id) const;

 private:
  std::u32string all_;
  std::unordered_map<char32_t, std::int64_t> ids_;
};

}  // namespace qiao::learn
