// SPDX-License-Identifier: Apache-2.0
#include "message/subject.h"

#include <gtest/gtest.h>

namespace qiao {
namespace {

TEST(SubjectMatch, TokensAndWildcards) {
  EXPECT_TRUE(matches("a.b", "a.b"));
  EXPECT_TRUE(matches("*.b", "a.b"));
  EXPECT_TRUE(matches("a.*", "a.b"));
  EXPECT_TRUE(matches(">", "a"));
  EXPECT_TRUE(matches("a.>", "a.b.c"));
  EXPECT_TRUE(matches("客服.*", "客服.退款"));
  EXPECT_FALSE(matches("a.b", "a"));
  EXPECT_FALSE(matches("a", "a.b"));
  EXPECT_FALSE(matches("a.>", "a"));
  EXPECT_FALSE(matches("a.*", "a"));
  EXPECT_FALSE(matches("a.*.c", "a.b.d"));
}

TEST(SubjectMatch, WildcardStopsAtDot) {
  EXPECT_FALSE(matches("a.*", "a.b.c"));
  EXPECT_FALSE(matches("*", "a.b"));
}

TEST(ValidateSubject, TellsWhatIsWrong) {
  const auto fault = [](const std::string& text) {
    const Status status = validate_subject(text);
    return status ? std::string("fine") : status.error().message;
  };
  EXPECT_EQ(fault("support.in"), "fine");
  EXPECT_EQ(fault("客服.退款"), "fine");
  EXPECT_NE(fault("").find("empty"), std::string::npos);
  EXPECT_NE(fault("a..b").find("empty token"), std::string::npos);
  EXPECT_NE(fault(".a").find("empty token"), std::string::npos);
  EXPECT_NE(fault("a.").find("ends with a dot"), std::string::npos);
  EXPECT_NE(fault("a b").find("space"), std::string::npos);
  EXPECT_NE(fault("a\xff").find("UTF-8"), std::string::npos);
  EXPECT_NE(fault("a.*").find("wildcard"), std::string::npos);
  EXPECT_NE(fault(std::string(256, 'a')).find("255"), std::string::npos);
  EXPECT_NE(fault("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a").find("16"), std::string::npos);
}

TEST(ValidatePattern, WildcardsAreWholeTokens) {
  EXPECT_TRUE(validate_pattern("a.*.b"));
  EXPECT_TRUE(validate_pattern("a.>"));
  EXPECT_FALSE(validate_pattern("a.>.b"));
  EXPECT_FALSE(validate_pattern("a*"));
  EXPECT_FALSE(validate_pattern("a.b>"));
  EXPECT_TRUE(is_pattern("a.*"));
  EXPECT_FALSE(is_pattern("a.b"));
}

}  // namespace
}  // namespace qiao
