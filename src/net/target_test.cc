// SPDX-License-Identifier: Apache-2.0
#include "net/target.h"

#include <gtest/gtest.h>

namespace qiao::net {
namespace {

using Query = std::map<std::string, std::string>;

TEST(Target, PathAndQueryAreDecoded) {
  const auto target =
      parse_target("/v1/topics/%E8%AE%A2%E5%8D%95.in+x?from=3&q=a+b%2Bc&empty=&flag");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/v1/topics/订单.in+x");
  EXPECT_EQ(target->query, (Query{{"from", "3"}, {"q", "a b+c"}, {"empty", ""}, {"flag", ""}}));
}

TEST(Target, TheLastOfEqualNamesCounts) {
  EXPECT_EQ(parse_target("/?a=1&&a=2&")->query, (Query{{"a", "2"}}));
}

TEST(Target, AllFormsOfRfc9112) {
  EXPECT_EQ(parse_target("http://127.0.0.1:7411/a?b=c")->path, "/a");
  EXPECT_EQ(parse_target("http://127.0.0.1:7411/a?b=c")->query, (Query{{"b", "c"}}));
  EXPECT_EQ(parse_target("http://host")->path, "/");
  EXPECT_EQ(parse_target("http://host?b=c")->path, "/");
  EXPECT_EQ(parse_target("*")->path, "*");
  EXPECT_EQ(parse_target("/go?to=http://x/y")->query, (Query{{"to", "http://x/y"}}));
}

TEST(Target, WhatCannotBeUnderstoodIsRefused) {
  for (const char* bad :
       {"", "a", "host:443", "/%", "/%4", "/%zz", "/%e8%ae", "/%ff", "/%c0%af", "/%ed%a0%80",
        "/%f4%90%80%80", "/a%00b", "/a%0d%0ab", "/a?x=%ff", "/a?%=1", "/\x7f"}) {
    const auto target = parse_target(bad);
    ASSERT_FALSE(target) << bad;
    EXPECT_EQ(target.error().code, Code::kInvalidArgument) << bad;
  }
}

TEST(Target, EveryByteIsDecodedOrRefused) {
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "%%%02x", static_cast<unsigned>(byte));
    const auto decoded = percent_decode(text, Plus::kKept);
    ASSERT_EQ(decoded.has_value(), byte < 0x80) << byte;
    EXPECT_EQ(decoded.value_or(std::string(1, static_cast<char>(byte))),
              std::string(1, static_cast<char>(byte)));
  }
}

}  // namespace
}  // namespace qiao::net
