// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/language.h"
#include "understand/linear_head.h"
#include "understand/understander.h"

namespace qiao {

inline constexpr std::array<std::string_view, 2> kCompleteness = {"cut_off", "whole"};

// What a text shows at a glance: how it ends (marks, connectives, its last words by hash), and its
// length. The head sees them beside the encoder's vector.
inline constexpr std::size_t kEndingBuckets = 256;  // of each: the last word, two words, three
inline constexpr std::size_t kGlanceSize = 6 + 3 * kEndingBuckets;
std::vector<float> glance(std::string_view text);

// What the head gets: the vector, then the glance.
std::vector<float> completeness_input(const std::vector<float>& vector, std::string_view text);

// Without an encoder: from closing marks, final particles, open marks and connectives.
double complete_by_rules(std::string_view text);

// How likely a message is whole, so that nothing more of it comes: 0 cut off, 1 whole. By a head on
// the encoder's vector, trained on whole and cut-off messages (models/completeness-*.json say on
// what and how well), or by rules where there is none for the language.
//
// Immutable, thread-safe. Looks at the last kTextBytesMax bytes.
class Completeness {
 public:
  static constexpr std::size_t kTextBytesMax = 1024;
  using Done = std::function<void(double score)>;
  using Head = std::optional<LinearHead>;

  // Blocks: asks the encoders whether the heads fit them.
  static std::shared_ptr<const Completeness> make(Encoders encoders);
  // The head compiled in; an error only when the program was built wrong.
  static Result<LinearHead> builtin(Language language);

  // Returns at once; `done` runs once, inside or on the encoder's thread.
  void judge(std::string_view text, Done done) const;
  [[nodiscard]] bool has_head(Language language) const;

 private:
  Completeness(Encoders encoders, std::array<Head, 2> heads)
      : encoders_(std::move(encoders)), heads_(std::move(heads)) {}

  Encoders encoders_;
  std::array<Head, 2> heads_;  // by language
};

}  // namespace qiao
