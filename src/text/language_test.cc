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

TEST(DetectLanguage, MarkupAndCodeSayNothing) {
  for (const char* text :
       {"积分 3000 值多少钱？<b>bold</b> & <script>alert(1)</script>",
        "<div class=\"note big\">怎么退货</div>", "报错 `undefined is not a function` 怎么办",
        "这段代码什么意思：\n```python\nfor item in list of things: print(item)\n```",
        "你好&nbsp;&amp;&nbsp;谢谢", "看这里<!-- a note to nobody at all -->",
        "运费<STYLE>body { color: red }</STYLE>多少"}) {
    EXPECT_EQ(detect_language(text), kZh) << text;
  }
  for (const char* text :
       {"where is <b>my order</b>", "what does `退款金额计算错误` mean",
        "please explain\n```\n打印(订单号码) 如果没有付款\n```", "is 3 < 5 and 7 > 6 true",
        "a <new> thing", "it's 5` wide", "see &lt;here&gt;", "<b>bold</b>", "`let x`"}) {
    EXPECT_EQ(detect_language(text), kEn) << text;
  }
}

TEST(DetectLanguage, OpenMarkupCostsLittle) {
  for (const char* piece : {"<a ", "`a", "```", "<script>", "<!--", "&a", "<"}) {
    std::string text;
    while (text.size() < kLanguageBytesMax) text += piece;
    EXPECT_LT(testing::cpu_seconds([&] { (void)detect_language(text); }), 0.05) << piece;
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
