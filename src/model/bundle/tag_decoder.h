// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "model/bundle/wordpiece.h"

namespace qiao::model {

// The best sequence of tags in which no `I-x` follows anything but `B-x` or `I-x` (Viterbi, without
// learnt transitions), spread over the characters of the text: the first character of a piece has
// the piece's tag, the others continue it, characters in no piece are `O`.
//
// `scores` has names.size() numbers for each piece of `text`; [CLS] and [SEP] are passed over.
// Requires: every name is `O`, `B-x` or `I-x`, and `O` or some `B-x` is among them.
std::vector<std::string> decode_tags(const float* scores, const Encoded& text,
                                     const std::vector<std::string>& names, std::size_t characters);

}  // namespace qiao::model
