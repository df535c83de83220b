// SPDX-License-Identifier: Apache-2.0
#include "text/clean.h"

#include <gtest/gtest.h>

#include "text/utf8.h"

namespace qiao {
namespace {

std::string cleaned(std::string_view text, CleanRules rules = {}) {
  return clean_text(text, rules).text;
}

TEST(CleanText, ControlsAndInvisiblesGo) {
  EXPECT_EQ(cleaned("a\x01\x7f"
                    "b\tc\xef\xbb\xbf\xe2\x80\x8b\xc2\xad"),
            "ab\tc");
  EXPECT_EQ(cleaned("👨\u200D👩"), "👨\u200D👩");  // a joiner is part of it
}

TEST(CleanText, LinesAreTidied) {
  EXPECT_EQ(cleaned("\r\n a  \r\nb\rc\u2028d\n\n\n \n e\n\n"), "a\nb\nc\nd\n\n e");
  EXPECT_EQ(cleaned(" \n\t\n"), "");
  EXPECT_EQ(cleaned("a\fb\vc"), "a\nb\nc");
}

TEST(CleanText, WidthHasItsOwnRule) {
  constexpr std::string_view kWide = "ＡＢ１２，！\u3000你（好）";
  EXPECT_EQ(cleaned(kWide), "AB12，！ 你（好）");
  EXPECT_EQ(cleaned(kWide, {true, WidthRule::kAll}), "AB12,! 你(好)");
  EXPECT_EQ(cleaned(kWide, {true, WidthRule::kKeep}), kWide);
}

TEST(CleanText, NfkcIsAnOption) {
  EXPECT_EQ(cleaned("ﬁ ① e\u0301 ｱ \uF900"), "fi 1 é ア 豈");
  EXPECT_EQ(cleaned("ﬁ ①", {false}), "ﬁ ①");
}

TEST(CleanText, CountsWhatIsNoUtf8) {
  const CleanText text = clean_text("你\xff\xfe好", {});
  EXPECT_EQ(text.text, "你\uFFFD\uFFFD好");
  EXPECT_EQ(text.characters, 4U);
  EXPECT_EQ(text.replaced, 2U);
}

TEST(CleanText, TraditionalBecomesSimplified) {
  EXPECT_EQ(simplify("請問訂單退款在哪裡查詢？abc"), "请问订单退款在哪里查询？abc");
  EXPECT_EQ(cleaned("龍馬", {true, WidthRule::kLetters, true}), "龙马");
  EXPECT_EQ(cleaned("龍馬"), "龍馬");
  EXPECT_EQ(simplify("薴苧苎"), "苧苧苎");
}

// A line of more than a piece, with blanks of three bytes in it that become one.
TEST(CleanText, LongLinesAreNotBroken) {
  std::string text = "ab";
  for (int i = 0; i < 500'000; ++i) text += "长\u2003";
  const CleanText clean = clean_text(text + "。", {});
  EXPECT_EQ(clean.replaced, 0U);
  EXPECT_EQ(clean.characters, 1'000'003U);
}

// Random characters of every kind: the second time changes nothing.
TEST(CleanText, TwiceIsOnce) {
  std::uint64_t state = 7;
  const auto below = [&](std::uint64_t bound) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33U) % bound;
  };
  constexpr char32_t kStarts[] = {0,      0x80,   0x300,  0x1100, 0x2000, 0x3000,
                                  0x4E00, 0xAC00, 0xF900, 0xFF00, 0x1D400};
  for (int round = 0; round < 400; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) {
      append_utf8(text, kStarts[below(std::size(kStarts))] + char32_t(below(256)));
    }
    for (const bool simple : {false, true}) {
      const CleanRules rules{true, WidthRule::kLetters, simple};
      const std::string once = cleaned(text, rules);
      EXPECT_EQ(cleaned(once, rules), once) << text;
    }
  }
}

}  // namespace
}  // namespace qiao
