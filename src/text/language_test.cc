// SPDX-License-Identifier: Apache-2.0
#include "text/language.h"

#include <gtest/gtest.h>

#include "base/testing/cpu_time.h"

namespace qiao {
namespace {

constexpr auto kZh = Language::kChinese;
constexpr auto kEn = Language::kEnglish;

TEST(DetectLanguage, PlainTexts) {
  for (const char* text :
       {"我要退款", "嗯", "訂單在哪裡？", "好的👌", "怎么退货？？？", "我的iPhone坏了",
        "帮我查一下订单 QX20260101", "请用 PayPal 付款", "ok，谢谢", "这个app打不开",
        "我想开VIP会员，please", "收货地址是 https://example.com/path 里的"}) {
    EXPECT_EQ(detect_language(text), kZh) << text;
  }
  for (const char* text : {"I want my money back", "hi", "OK", "where is QX20260101?",
                           "what does 你好 mean in English", "café près d'ici", "Don't!",
                           "please send it to 北京市 for me, thanks"}) {
    EXPECT_EQ(detect_language(text), kEn) << text;
  }
}

TEST(DetectLanguage, NothingToGoBy) {
  for (const char* text :
       {"", "   ", "12345678", "QX20260101", "😀😀", "？？？", "a@example.com",
        "https://example.com/about/us", "5kg", "\xFF\xFE", "+86 138 0013 8000"}) {
    EXPECT_EQ(detect_language(text), std::nullopt) << text;
  }
}

TEST(DetectLanguage, OtherScriptsAreNeither) {
  for (const char* text : {"返品したいです", "환불해 주세요", "Где мой заказ", "أين طلبي"})
    EXPECT_EQ(detect_language(text), std::nullopt) << text;
}

TEST(DetectLanguage, LongTextsCostAsMuchAsTheirBeginning) {
  const std::string text(64 << 20, 'a');
  EXPECT_LT(testing::cpu_seconds([&] { EXPECT_EQ(detect_language(text), kEn); }), 0.05);
}

}  // namespace
}  // namespace qiao
