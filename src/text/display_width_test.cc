// SPDX-License-Identifier: Apache-2.0
#include "text/display_width.h"

#include <gtest/gtest.h>

namespace qiao {
namespace {

TEST(DisplayWidth, CountsColumns) {
  EXPECT_EQ(display_width(""), 0u);
  EXPECT_EQ(display_width("route"), 5u);
  EXPECT_EQ(display_width("路由"), 4u);
  EXPECT_EQ(display_width("ａ！"), 4u) << "full width Latin";
  EXPECT_EQ(display_width("한국"), 4u);
  EXPECT_EQ(display_width("é"), 1u);
  EXPECT_EQ(display_width("e\u0301"), 1u) << "a combining accent takes none";
  EXPECT_EQ(display_width("🙂"), 2u);
  EXPECT_EQ(display_width("…·→"), 3u);
  EXPECT_EQ(display_width("\xff"), 1u) << "a stray byte is shown as one mark";
}

TEST(DisplayWidth, Pads) {
  EXPECT_EQ(pad_right("退款", 6), "退款  ");
  EXPECT_EQ(pad_left("退款", 6), "  退款");
  EXPECT_EQ(pad_right("refund", 3), "refund");
}

TEST(DisplayWidth, CutsAtAColumnNeverInsideACharacter) {
  EXPECT_EQ(cut_to_width("hello", 5), "hello");
  EXPECT_EQ(cut_to_width("hello!", 5), "hell…");
  EXPECT_EQ(cut_to_width("退款流程", 5), "退款…");
  EXPECT_EQ(cut_to_width("退款流程", 4), "退…");
  EXPECT_EQ(cut_to_width("退款", 1), "…");
  EXPECT_EQ(cut_to_width("退款", 0), "");
}

// A message must not command the terminal.
TEST(DisplayWidth, ControlsAreTakenOut) {
  EXPECT_EQ(one_line("a\nb\tc\r"), "a b c");
  EXPECT_EQ(one_line("\x1b[31mred"), "·[31mred");
  EXPECT_EQ(printable("a\nb\x07"), "a\nb·");
  EXPECT_EQ(one_line("\xC2\x9B"
                     "2J"),
            "·2J")
      << "the eight-bit form of ESC [";
  EXPECT_EQ(one_line("\xff"), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace qiao
