// SPDX-License-Identifier: Apache-2.0
#include "text/word_starts.h"

#include <gtest/gtest.h>

namespace qiao {
namespace {

// The words with bars between them.
std::string cut(const std::u32string& codes, const std::string& text) {
  const std::vector<bool> starts = word_starts(text);
  EXPECT_EQ(starts.size(), codes.size());
  std::string out;
  for (std::size_t i = 0; i < starts.size(); ++i) out += starts[i] ? '1' : '0';
  return out;
}

TEST(WordStarts, ChineseWordsAreThoseOfTheDictionary) {
  EXPECT_EQ(cut(U"我们喜欢北京", "我们喜欢北京"), "101010");
}

TEST(WordStarts, LatinWordsAndWideCharacters) {
  EXPECT_EQ(cut(U"ab 😀c", "ab 😀c"), "10111");
  EXPECT_TRUE(word_starts("").empty());
}

}  // namespace
}  // namespace qiao
