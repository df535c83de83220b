// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "learn/commands/progress.h"
#include "learn/tokenizers/text_codec.h"

namespace qiao::learn {

// What of a text its tokens do not tell.
struct LeftOut {
  std::size_t characters = 0;  // of the text
  std::size_t left_out = 0;    // of them, those that the vocabulary lacks
};

// Adds up what codecs leave out: counts the characters of texts and of what their tokens decode to.
// Of WordPiece, whose tokens give no text back, nothing is counted. One thread at a time. `codec`
// must outlive it.
class LeftOutCounter {
 public:
  explicit LeftOutCounter(const TextCodec& codec);

  // Requires: the codec made `ids` of `text`.
  void add(std::string_view text, const std::vector<std::int64_t>& ids);
  [[nodiscard]] LeftOut sum() const { return sum_; }

 private:
  const TextCodec& codec_;
  std::vector<std::int32_t> characters_;  // by id, -1 until it is met; empty: counts nothing
  LeftOut sum_;
};
LeftOut left_out_of(std::string_view text, const std::vector<std::int64_t>& ids,
                    const TextCodec& codec);

// Tells people, when something is left out. `whose`: the model or tokenizer.
void note_left_out(Progress& progress, const LeftOut& left, const std::string& whose);
// As `characters` and `characters_left_out`.
void add_left_out(Json& into, const LeftOut& left);

}  // namespace qiao::learn
