// SPDX-License-Identifier: Apache-2.0
#include "model/llama/answer_text.h"

#include <gtest/gtest.h>

namespace qiao::model {
namespace {

// What is shown when `bytes` comes in pieces of `size`, until a stop string is met.
std::string shown(AnswerText& text, std::string_view bytes, std::size_t size) {
  std::string all;
  for (std::size_t at = 0; at < bytes.size() && !text.stopped(); at += size) {
    all += text.push(bytes.substr(at, size));
  }
  all += text.finish();
  EXPECT_EQ(all, text.text());
  return all;
}

TEST(AnswerText, ShowsWholeCharactersOnly) {
  AnswerText text({});
  EXPECT_EQ(text.push("a\xE4\xBD"), "a");
  EXPECT_EQ(text.push("\xA0"), "你");
  EXPECT_EQ(text.push("\xF0\x9F\x98"), "");
  EXPECT_EQ(text.push("\x80!"), "😀!");
  EXPECT_EQ(text.push("\xE5"), "");
  EXPECT_EQ(text.finish(), "\xEF\xBF\xBD");  // never became whole
}

TEST(AnswerText, EndsBeforeTheFirstStopString) {
  for (const std::size_t size : {1, 2, 3, 100}) {
    AnswerText text({"END", "\n\n"});
    EXPECT_EQ(shown(text, "one\ntwo EN three\n\nfour END", size), "one\ntwo EN three");
    EXPECT_TRUE(text.stopped());
  }
}

TEST(AnswerText, HoldsBackWhatMayBecomeAStopString) {
  AnswerText text({"</s>"});
  EXPECT_EQ(text.push("hi <"), "hi ");
  EXPECT_EQ(text.push("/"), "");
  EXPECT_EQ(text.push("b>"), "</b>");
  EXPECT_EQ(text.push("</s"), "");
  EXPECT_EQ(text.finish(), "</s");
}

TEST(AnswerText, HidesAToolCall) {
  for (const std::size_t size : {1, 4, 100}) {
    AnswerText text({}, "<tool_call>");
    EXPECT_EQ(shown(text, "I look. <tool_call>\n{}\n</tool_call>", size), "I look. ");
    EXPECT_EQ(text.hidden(), "<tool_call>\n{}\n</tool_call>");
  }
}

TEST(AnswerText, HidesAnObjectOnlyAtTheBeginning) {
  for (const std::size_t size : {1, 3, 100}) {
    AnswerText object({}, "<tool_call>", true);
    EXPECT_EQ(shown(object, "\n {\"name\": 1}", size), "\n ");
    EXPECT_EQ(object.hidden(), "{\"name\": 1}");
    AnswerText prose({}, "<tool_call>", true);
    EXPECT_EQ(shown(prose, " a {b}", size), " a {b}");
    EXPECT_EQ(prose.hidden(), "");
  }
}

TEST(AnswerText, MendsBytesThatAreNoText) {
  AnswerText text({});
  EXPECT_EQ(shown(text, "a\xFF\xC0z", 1), "a\xEF\xBF\xBD\xEF\xBF\xBDz");
}

}  // namespace
}  // namespace qiao::model
