// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"
#include "base/i18n.h"

#include <gtest/gtest.h>

namespace qiao::cli {
namespace {

class OptionsTest : public ::testing::Test {
 protected:
  Session session_;
  Options options_{session_};
};

TEST_F(OptionsTest, FillsEveryKind) {
  std::string subject;
  std::string text;
  std::vector<std::string> headers;
  std::int64_t limit = 3;
  std::int64_t timeout_ms = 0;
  std::string log;
  bool fast = false;
  options_.positional("SUBJECT", subject, Text::kCliSubjectHelp);
  options_.positional("TEXT", text, Text::kCliPubTextHelp, false);
  options_.option("--header", "N=V", headers, Text::kCliHeaderHelp);
  options_.option("-n,--limit", "N", limit, Text::kCliLimitHelp);
  options_.duration("--timeout", timeout_ms, Text::kCliReqTimeoutHelp);
  options_.choice("--log", log, {"segments", "memory"}, Text::kCliLogHelp);
  options_.flag("--fast", fast, Text::kCliNoFsyncHelp);
  options_.server();
  const auto parsed =
      options_.parse({"a.b", "[1, 2]", "--header", "x=1", "-n", "7", "--header", "y=2", "--timeout",
                      "1.5s", "--log=memory", "--fast", "--json", "--server", "http://h:1"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(subject, "a.b");
  EXPECT_EQ(text, "[1, 2]") << "a text that looks like a list stays a text";
  EXPECT_EQ(headers, (std::vector<std::string>{"x=1", "y=2"}));
  EXPECT_EQ(limit, 7);
  EXPECT_EQ(timeout_ms, 1500);
  EXPECT_EQ(log, "memory");
  EXPECT_TRUE(fast);
  EXPECT_TRUE(session_.json);
  EXPECT_EQ(session_.server.url, "http://h:1");
}

TEST_F(OptionsTest, ATextAfterTwoDashesMayBeginWithOne) {
  std::string text;
  options_.positional("TEXT", text, Text::kCliPubTextHelp);
  ASSERT_TRUE(options_.parse({"--", "--text"}));
  EXPECT_EQ(text, "--text");
}

TEST_F(OptionsTest, AnUnknownOptionNamesTheNearest) {
  std::int64_t limit = 0;
  options_.option("--limit", "N", limit, Text::kCliLimitHelp);
  const auto parsed = options_.parse({"--limti=3"});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
  EXPECT_NE(parsed.error().message.find("--limit"), std::string::npos) << parsed.error().message;
}

TEST_F(OptionsTest, WhatIsMissingOrOfTheWrongFormIsRefused) {
  std::string subject;
  std::int64_t limit = 0;
  std::int64_t timeout_ms = 0;
  options_.positional("SUBJECT", subject, Text::kCliSubjectHelp);
  options_.option("--limit", "N", limit, Text::kCliLimitHelp);
  options_.duration("--timeout", timeout_ms, Text::kCliReqTimeoutHelp);
  const auto missing = options_.parse({});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("SUBJECT"), std::string::npos) << missing.error().message;
  EXPECT_FALSE(options_.parse({"a", "--limit", "many"}));
  EXPECT_FALSE(options_.parse({"a", "--timeout", "soon"}));
  EXPECT_FALSE(options_.parse({"a", "b"}));
}

TEST_F(OptionsTest, HelpNeedsNothingElse) {
  std::string subject;
  options_.positional("SUBJECT", subject, Text::kCliSubjectHelp);
  EXPECT_TRUE(options_.parse({"--help"}));
  EXPECT_TRUE(options_.help_wanted());
}

}  // namespace
}  // namespace qiao::cli
