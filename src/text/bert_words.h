// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qiao {

// How a BERT vocabulary wants its text.
struct BertTextRules {
  bool lowercase = true;
  bool strip_accents = true;
};

// A word as BERT's WordPiece gets it. `origin[i]` is where character i of `text` (counted in code
// points) came from: the index of a code point of the original text, so that a tag on a piece is a
// tag on characters.
struct BertWord {
  std::u32string text;
  std::vector<std::uint32_t> origin;
};

// BERT's normaliser and word splitter (Devlin et al. 2019, as Hugging Face's BertNormalizer and
// BertPreTokenizer do it): control characters dropped, every kind of blank a blank, each Han
// character a word, accents and capitals taken off as `rules` say, each punctuation mark a word.
// Invalid bytes are read as U+FFFD and dropped. Pure, thread-safe, linear in the text.
std::vector<BertWord> bert_words(std::string_view text, const BertTextRules& rules);

}  // namespace qiao
