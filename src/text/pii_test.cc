// SPDX-License-Identifier: Apache-2.0
#include "text/pii.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/testing/cpu_time.h"

namespace qiao {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> found(std::string_view text) {
  std::vector<std::string> out;
  for (const Span& span : find_pii(text)) out.push_back(span.kind + " " + span.value);
  return out;
}

TEST(ResidentId, ChecksumAndBirthDate) {
  EXPECT_TRUE(valid_resident_id("11010519491231002X"));  // the example of GB 11643-1999
  EXPECT_TRUE(valid_resident_id("11010519491231002x"));
  EXPECT_FALSE(valid_resident_id("440524188001010014"));  // 1880: no living person
  EXPECT_FALSE(valid_resident_id("110105194912310021"));
  EXPECT_FALSE(valid_resident_id("11010519491331002X"));
  EXPECT_FALSE(valid_resident_id("1101051949123100"));
  EXPECT_FALSE(valid_resident_id(""));
}

TEST(BankCard, IssuerLengthAndLuhn) {
  EXPECT_TRUE(valid_bank_card("4111111111111111"));
  EXPECT_TRUE(valid_bank_card("6222021234567890128"));
  EXPECT_TRUE(valid_bank_card("378282246310005"));
  EXPECT_FALSE(valid_bank_card("4111111111111112"));
  EXPECT_FALSE(valid_bank_card("1111111111111117"));  // no issuer
  EXPECT_FALSE(valid_bank_card("37828224631000"));
  EXPECT_FALSE(valid_bank_card("0000000000000000"));
}

TEST(FindPii, PhonesHoweverWritten) {
  for (const char* text : {"电话13812345678", "１３８１２３４５６７８", "138 1234 5678",
                           "138-1234-5678", "+86 13812345678", "008613812345678",
                           "tel:138-1234-5678，谢谢", "我的号码是13812345678请联系"}) {
    EXPECT_THAT(found(text), ElementsAre("phone 13812345678")) << text;
  }
  EXPECT_THAT(found("call +44 20 7946 0958 or 212-555-0123"),
              ElementsAre("phone +442079460958", "phone 2125550123"));
  EXPECT_THAT(found("13812345678 13912345678"),
              ElementsAre("phone 13812345678", "phone 13912345678"));
}

TEST(FindPii, NumbersThatAreNone) {
  for (const char* text : {"QX13812345678", "20138123456789", "12345678901", "13812345678901",
                           "订单 20240001", "3.1415926535", "2026-01-05 10:30:00", "99.13812345678",
                           "a@b", "@someone", "100-200-300"}) {
    EXPECT_TRUE(found(text).empty()) << text << " " << ::testing::PrintToString(found(text));
  }
}

TEST(FindPii, IdsAndCards) {
  EXPECT_THAT(found("身份证11010519491231002X。"), ElementsAre("resident_id 11010519491231002X"));
  EXPECT_THAT(found("卡号 4111 1111 1111 1111, 有效"), ElementsAre("bank_card 4111111111111111"));
  EXPECT_THAT(found("4111-1111-1111-1111 13812345678"),
              ElementsAre("bank_card 4111111111111111", "phone 13812345678"));
  EXPECT_TRUE(found("4111 1111 1111 1112").empty());
}

TEST(FindPii, Emails) {
  EXPECT_THAT(found("写信给Ann.Li+x@Mail.Example.com，谢谢"),
              ElementsAre("email ann.li+x@mail.example.com"));
  EXPECT_THAT(found("a@b.cn;c@d.org"), ElementsAre("email a@b.cn", "email c@d.org"));
}

TEST(MaskPii, KeepsTheEnds) {
  EXPECT_EQ(mask_pii("打13812345678，卡 4111 1111 1111 1111"),
            "打138****5678，卡 411* **** **** 1111");
  EXPECT_EQ(mask_pii("mail ann@example.com now"), "mail a***@example.com now");
  EXPECT_EQ(mask_pii("身份证１１０１０５１９４９１２３１００２Ｘ"), "身份证110***********002X");
  EXPECT_EQ(mask_pii("没有"), "没有");
  EXPECT_EQ(mask_pii("bad \xFF byte"), "bad \xFF byte");
}

TEST(MaskPii, LeavesNothingToFind) {
  const std::string masked =
      mask_pii("13812345678 11010519491231002X 4111111111111111 ann@example.com +442079460958");
  for (const Span& span : find_pii(masked)) EXPECT_EQ(span.kind, "email") << span.text;
}

// Goal: the time of a scan grows with the length alone, whatever comes.
TEST(FindPii, HostileTextsAreLinear) {
  const auto repeat = [](std::string_view piece) {
    std::string text;
    while (text.size() < (1 << 19)) text += piece;
    return text;
  };
  for (const char* piece : {"1", "1 ", "1-", "a@", "a.", "@", "138 1234 ", "13812345678 ", "+1 ",
                            "(0", "a@b.cc-", "\xFF", "６", "4111111111111111-"}) {
    const std::string text = repeat(piece);
    const std::string quarter = text.substr(0, text.size() / 4);
    EXPECT_TRUE(testing::grows_linearly([&] { mask_pii(quarter); }, [&] { mask_pii(text); }))
        << piece;
  }
}

}  // namespace
}  // namespace qiao
