// SPDX-License-Identifier: Apache-2.0
#include "model/llama/tool_text.h"

#include <gtest/gtest.h>

namespace qiao::model {
namespace {

Json tools(const std::vector<std::string>& names) {
  Json list = Json::array();
  for (const auto& name : names) {
    const Json parameters = {{"type", "object"}, {"properties", {{"city", {{"type", "string"}}}}}};
    list.push_back(
        {{"type", "function"}, {"function", {{"name", name}, {"parameters", parameters}}}});
  }
  return list;
}

TEST(ToolText, ReadsTheCallsOfOneAnswer) {
  const auto calls = parse_tool_calls(
      "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"巴黎\"}}\n</tool_call>\n"
      "<tool_call>{\"name\":\"time\"}",
      tools({"weather", "time"}));
  ASSERT_TRUE(calls) << calls.error().message;
  ASSERT_EQ(calls->size(), 2U);
  EXPECT_EQ((*calls)[0].id, "call_1");
  EXPECT_EQ((*calls)[0].name, "weather");
  EXPECT_EQ((*calls)[0].arguments, R"({"city":"巴黎"})");
  EXPECT_EQ((*calls)[1].id, "call_2");
  EXPECT_EQ((*calls)[1].arguments, "{}");
}

TEST(ToolText, ReadsABareObject) {
  const auto calls =
      parse_tool_calls(R"( {"name":"time","arguments":"{\"a\":1}"} )", tools({"time"}));
  ASSERT_TRUE(calls) << calls.error().message;
  ASSERT_EQ(calls->size(), 1U);
  EXPECT_EQ(calls->front().arguments, R"({"a":1})");
}

TEST(ToolText, RefusesWhatIsNoCallOfAnOfferedTool) {
  const auto offered = tools({"time"});
  for (const char* bad : {"<tool_call>{\"name\":\"weather\"}</tool_call>", "<tool_call>time()",
                          "<tool_call>{\"arguments\":{}}</tool_call>", "<tool_call></tool_call>"}) {
    const auto calls = parse_tool_calls(bad, offered);
    ASSERT_FALSE(calls) << bad;
    EXPECT_EQ(calls.error().code, Code::kModelFailed) << bad;
  }
  std::string many;
  for (std::size_t i = 0; i <= kToolCallsMax; ++i) many += "<tool_call>{\"name\":\"time\"}";
  EXPECT_FALSE(parse_tool_calls(many, offered));
}

TEST(ToolText, CallsAreWrittenAsTheyAreRead) {
  const ToolCall call{"call_1", "weather", R"({"city":"Rome"})"};
  const auto again = parse_tool_calls(tool_call_text(call), tools({"weather"}));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->front().name, call.name);
  EXPECT_EQ(again->front().arguments, call.arguments);
}

TEST(ToolText, ChecksTheList) {
  EXPECT_TRUE(check_tools(Json()));
  EXPECT_TRUE(check_tools(tools({"a"})));
  EXPECT_FALSE(check_tools(Json::object()));
  auto bad = tools({"a", "b"});
  bad[1]["function"]["parameters"] = 3;
  const auto checked = check_tools(bad);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message.find("tools[1]"), std::string::npos);
  EXPECT_FALSE(check_tools(tools(std::vector<std::string>(kToolsMax + 1, "x"))));
}

TEST(ToolText, OneChoiceOrAny) {
  const auto two = tools({"a", "b"});
  EXPECT_EQ(tool_call_schema(two, "").at("anyOf").size(), 2U);
  EXPECT_EQ(tool_call_schema(two, "b").at("properties").at("name").at("const"), "b");
  EXPECT_EQ(tool_offer(Json()), "");
  EXPECT_NE(tool_offer(two).find("<tools>"), std::string::npos);
}

}  // namespace
}  // namespace qiao::model
