// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/tool_box.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "base/testing/temp_folder.h"
#include "model/testing/fake_http.h"

namespace qiao {
namespace {

using testing::FakeHttp;
using ::testing::HasSubstr;
using testing::http_reply;
using testing::HttpAsked;
using testing::TempFolder;

// A flow with one tool.
FlowConfig flow_with(std::string url, std::string method = "GET", std::int64_t timeout_ms = 3'000) {
  FlowConfig config;
  ToolConfig tool;
  tool.name = "look";
  tool.describe = {"查询", "look it up"};
  tool.method = std::move(method);
  tool.url = std::move(url);
  tool.needs = {"order_number"};
  tool.timeout_ms = timeout_ms;
  config.tools = {tool};
  return config;
}

ToolOutcome call(ToolBox& tools, const std::string& number = "QX1",
                 const std::string& tool = "look") {
  std::promise<ToolOutcome> done;
  tools.call(tool, {{"order_number", number}}, "m1:0",
             [&done](ToolOutcome outcome) { done.set_value(std::move(outcome)); });
  return done.get_future().get();
}

TEST(ToolBox, FillsTheUrlAndReadsJson) {
  FakeHttp http([](const HttpAsked&, int) { return http_reply(200, R"({"state":"sent"})"); });
  const FlowConfig config = flow_with(http.url() + "/orders/{order_number}");
  WorkPool pool;
  ToolBox tools(config, pool);
  const ToolOutcome outcome = call(tools, "QX 1/../？");
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.result["state"], "sent");
  EXPECT_EQ(outcome.status, 200);
  ASSERT_EQ(http.asked().size(), 1U);
  EXPECT_EQ(http.asked()[0].line, "GET /orders/QX%201%2F..%2F%EF%BC%9F HTTP/1.1");
  EXPECT_EQ(http.asked()[0].headers.at("idempotency-key"), "m1:0");
}

TEST(ToolBox, PostsItsArguments) {
  FakeHttp http([](const HttpAsked&, int) { return http_reply(200, "plain words"); });
  const FlowConfig config = flow_with(http.url() + "/orders", "POST");
  WorkPool pool;
  ToolBox tools(config, pool);
  EXPECT_EQ(call(tools).result["text"], "plain words");
  EXPECT_EQ(http.asked().at(0).body, R"({"order_number":"QX1"})");
}

TEST(ToolBox, FaultsAreOutcomes) {
  FakeHttp http([](const HttpAsked& asked, int) {
    if (asked.line.find("/big") != std::string::npos) {
      return http_reply(200, std::string(ToolBox::kAnswerBytesMax + 1, 'x'));
    }
    return http_reply(503, "busy");
  });
  WorkPool pool;
  const FlowConfig busy = flow_with(http.url() + "/{order_number}");
  ToolBox tools(busy, pool);
  EXPECT_THAT(call(tools).error, HasSubstr("503"));
  EXPECT_NE(call(tools, "big").error, "");
  EXPECT_THAT(call(tools, "QX1", "other").error, HasSubstr("no tool called other"));
  const FlowConfig nobody = flow_with("http://127.0.0.1:1/{order_number}");
  ToolBox lonely(nobody, pool);
  EXPECT_NE(call(lonely).error, "");
}

TEST(ToolBox, SlowToolsEndAtTheirTimeout) {
  FakeHttp http([](const HttpAsked&, int) {
    return testing::HttpScript{{{"HTTP/1.1 200 OK\r\n\r\n", 1'000}}};
  });
  const FlowConfig config = flow_with(http.url() + "/{order_number}", "GET", 200);
  WorkPool pool;
  ToolBox tools(config, pool);
  const ToolOutcome outcome = call(tools);
  EXPECT_NE(outcome.error, "");
  EXPECT_LT(outcome.ms, 900);
}

TEST(ToolBox, ToolsForAModel) {
  const FlowConfig config = flow_with("http://x/{order_number}");
  WorkPool pool;
  ToolBox tools(config, pool, false);
  const Json list = tools.openai_tools({"look", "none"}, Language::kChinese);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["function"]["description"], "查询");
  EXPECT_EQ(list[0]["function"]["parameters"]["required"], Json::array({"order_number"}));
}

// A helper that answers with the port it was given; it ends itself at /end.
constexpr const char* kHelper = R"(import http.server, os
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/end": os._exit(3)
        body = ("{\"port\": %s}" % os.environ["QIAO_TOOL_PORT"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["QIAO_TOOL_PORT"])), H).serve_forever()
)";

class HelperTest : public ::testing::Test {
 protected:
  HelperTest() : config_(flow_with("http://127.0.0.1:{port}/{order_number}", "GET", 20'000)) {
    folder_.write("helper.py", kHelper);
    config_.directory = folder_.path();
    config_.tools[0].start = {"python3", "helper.py"};
  }
  TempFolder folder_;
  FlowConfig config_;
  WorkPool pool_;
};

TEST_F(HelperTest, RunsTheHelperAndStartsItAgain) {
  ToolBox tools(config_, pool_);
  const ToolOutcome first = call(tools);
  ASSERT_EQ(first.error, "");
  EXPECT_TRUE(first.result["port"].is_number());
  EXPECT_NE(call(tools, "end").error, "");
  // The first call may still meet the one that is dying.
  ToolOutcome again = call(tools);
  if (!again.error.empty()) again = call(tools);
  EXPECT_EQ(again.error, "");
}

TEST_F(HelperTest, AHelperThatDoesNotStartIsSaidSo) {
  config_.tools[0].start = {"no-such-program-anywhere"};
  config_.tools[0].timeout_ms = 300;
  ToolBox tools(config_, pool_);
  EXPECT_THAT(call(tools).error, HasSubstr("does not answer"));
}

TEST_F(HelperTest, WithoutHelpersTheirToolsFail) {
  ToolBox tools(config_, pool_, false);
  EXPECT_THAT(call(tools).error, HasSubstr("no helper program"));
}

TEST(WorkPool, RefusesPastItsBoundAndAfterStop) {
  WorkPool pool(1, 1);
  std::promise<void> go;
  std::shared_future<void> gate = go.get_future().share();
  std::promise<void> running;
  ASSERT_TRUE(pool.submit([&](const std::stop_token&) {
    running.set_value();
    gate.wait();
  }));
  running.get_future().wait();
  EXPECT_TRUE(pool.submit([](const std::stop_token&) {}));
  EXPECT_EQ(pool.submit([](const std::stop_token&) {}).error().code, Code::kOverloaded);
  go.set_value();
  pool.stop();
  EXPECT_EQ(pool.submit([](const std::stop_token&) {}).error().code, Code::kCancelled);
}

TEST(ToolUrl, ArgumentsAreEncodedAndRequired) {
  EXPECT_EQ(fill_url("http://x/{a}?b={b}", {{"a", "1 2"}, {"b", "桥"}}).value(),
            "http://x/1%202?b=%E6%A1%A5");
  EXPECT_FALSE(fill_url("http://x/{a}", {}));
  EXPECT_EQ(fill_url("http://x/{", {}).value(), "http://x/{");
}

}  // namespace
}  // namespace qiao
