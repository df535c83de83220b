// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace qiao {

// Sentences of Chinese and English text, as views into it, without the blanks around them. Ends at
// 。！？；… ! ? and line feeds, and at a full stop that is not in a number, an initial or a common
// abbreviation; closing quotes and brackets stay with their sentence. Nothing of the text is lost
// but blanks: past `sentences_max` the last one holds the rest.
std::vector<std::string_view> sentences_of(std::string_view text,
                                           std::size_t sentences_max = 100'000);

// Length for people: each Han character, each word and each number counts as one.
std::size_t count_words(std::string_view text);

// How much of a text repeats itself, in [0,1]: the share of its 4-grams (of words or Han
// characters) that stood before. Ordinary answers are below 0.15; a text caught in a loop nears 1.
// 0 under 8 words. Looks at the last kRepetitionWordsMax words, where loops are.
double repetition(std::string_view text);

inline constexpr std::size_t kRepetitionWordsMax = 4096;

}  // namespace qiao
