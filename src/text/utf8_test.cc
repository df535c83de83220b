// SPDX-License-Identifier: Apache-2.0
#include "text/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace qiao {
namespace {

std::vector<char32_t> decode(std::string_view text) {
  std::vector<char32_t> codes;
  for (std::size_t at = 0; at < text.size();) codes.push_back(next_code_point(text, at));
  return codes;
}

TEST(Utf8, ReadsOneToFourBytes) {
  EXPECT_EQ(decode("aé桥🌉"), (std::vector<char32_t>{'a', 0xE9, 0x6865, 0x1F309}));
}

TEST(Utf8, EachBadByteIsOneReplacement) {
  EXPECT_EQ(decode("\x80"), (std::vector<char32_t>{kReplacement}));
  EXPECT_EQ(decode("\xC0\xAF").size(), 2u);                                 // overlong
  EXPECT_EQ(decode("\xED\xA0\x80").size(), 3u);                             // a surrogate
  EXPECT_EQ(decode("\xE6\xA1"), (std::vector<char32_t>(2, kReplacement)));  // cut
  EXPECT_EQ(decode("\xE6\xA1"
                   "a")
                .back(),
            U'a');
  EXPECT_EQ(decode("\xF5\x80\x80\x80").size(), 4u);  // past U+10FFFF
}

TEST(Utf8, WritesWhatItReads) {
  for (const char32_t code : {U'a', U'é', U'桥', U'\U0001F309', U'\u07FF', U'\uFFFF'}) {
    std::string text;
    append_utf8(text, code);
    EXPECT_EQ(decode(text), std::vector<char32_t>{code});
  }
}

TEST(Utf8, KnowsClasses) {
  EXPECT_EQ(class_of(U'x'), CharClass::kLatin);
  EXPECT_EQ(class_of(U'ü'), CharClass::kLatin);
  EXPECT_EQ(class_of(U'Ａ'), CharClass::kLatin);
  EXPECT_EQ(class_of(U'７'), CharClass::kDigit);
  EXPECT_EQ(class_of(U'橋'), CharClass::kHan);
  EXPECT_EQ(class_of(U'〇'), CharClass::kHan);
  EXPECT_EQ(class_of(U'𠮷'), CharClass::kHan);
  EXPECT_EQ(class_of(U'の'), CharClass::kKana);
  EXPECT_EQ(class_of(U'한'), CharClass::kOther);
  EXPECT_EQ(class_of(U'。'), CharClass::kPunctuation);
  EXPECT_EQ(class_of(U'😀'), CharClass::kPunctuation);
  EXPECT_EQ(class_of(U'\u3000'), CharClass::kSpace);
}

std::vector<std::string> run_texts(std::string_view text) {
  std::vector<std::string> texts;
  for (const Run& run : runs_of(text))
    texts.emplace_back(text.substr(run.begin, run.end - run.begin));
  return texts;
}

TEST(Runs, SplitWordsNumbersAndCharacters) {
  EXPECT_EQ(run_texts("don't 退款QX2024!"),
            (std::vector<std::string>{"don't", "退", "款", "QX", "2024"}));
  EXPECT_EQ(run_texts("'quoted' cafe\u0301"), (std::vector<std::string>{"quoted", "cafe\u0301"}));
  EXPECT_TRUE(runs_of("  ，。!😀 ").empty());
  EXPECT_EQ(runs_of("a b c", 2).size(), 2u);
}

}  // namespace
}  // namespace qiao
