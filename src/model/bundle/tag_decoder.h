// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "model/bundle/wordpiece.h"

namespace qiao::model {

// What a model says of the tags of a text.
struct TagScores {
  const float* own = nullptr;  // names.size() numbers for each piece
  const float* transitions =
      nullptr;  // names.size()², from the tag before to the one after; null: 0
};

// The best sequence of tags in which no `I-x` follows anything but `B-x` or `I-x` (Viterbi), spread
// over the characters of the text: the first character of a piece has the piece's tag, the others
// continue it, characters in no piece are `O`.
//
// `scores` are of every piece of `text`; [CLS] and [SEP] are passed over.
// Requires: every name is `O`, `B-x` or `I-x`, and `O` or some `B-x` is among them.
std::vector<std::string> decode_tags(const TagScores& scores, const Encoded& text,
                                     const std::vector<std::string>& names, std::size_t characters);

}  // namespace qiao::model
