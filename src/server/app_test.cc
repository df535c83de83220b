// SPDX-License-Identifier: Apache-2.0
// Whole servers in this process, spoken to over their port.
#include "server/app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "base/disk.h"
#include "base/fetch.h"
#include "base/testing/temp_folder.h"

namespace qiao {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;

class AppTest : public ::testing::TestWithParam<const char*> {
 protected:
  ServerConfig config() const {
    ServerConfig config;
    config.data = data_.path() + "/data";
    config.listen = "127.0.0.1:0";
    config.log_backend = GetParam();
    config.models_directory = data_.path() + "/no-models";
    config.log_level = "off";
    config.stop_grace_ms = 1'000;
    return config;
  }
  void start() {
    auto app = App::start(config());
    ASSERT_TRUE(app) << app.error().message;
    app_ = std::move(*app);
  }
  FetchRequest request(const std::string& method, const std::string& path,
                       const std::string& body = {}) const {
    FetchRequest request;
    request.method = method;
    request.url = app_->url() + path;
    request.headers = {{"Authorization", "Bearer " + app_->key()}};
    request.body = body;
    return request;
  }
  FetchResponse call(const std::string& method, const std::string& path,
                     const std::string& body = {}) const {
    const auto response = fetch(request(method, path, body));
    EXPECT_TRUE(response) << response.error().message;
    return response.value_or(FetchResponse{});
  }
  static Json json(const FetchResponse& response) {
    return parse_json(response.body).value_or(Json());
  }
  static mode_t mode_of(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 0777;
  }

  TempFolder data_;
  std::unique_ptr<App> app_;
};

INSTANTIATE_TEST_SUITE_P(Logs, AppTest, ::testing::Values("memory", "segments"),
                         [](const auto& log) { return std::string(log.param); });

TEST_P(AppTest, MakesItsKeyOnceAndTellsWhereItIs) {
  start();
  EXPECT_TRUE(app_->key_is_new());
  EXPECT_EQ(app_->key().size(), 64u);
  const std::string key = app_->key();
  const std::string folder = config().data;
  EXPECT_EQ(mode_of(folder + "/key"), 0600);
  EXPECT_EQ(mode_of(folder + "/server.json"), 0600);
  EXPECT_EQ(mode_of(folder), 0700);
  const auto told = parse_json(read_file(folder + "/server.json").value());
  EXPECT_EQ((*told)["url"], app_->url());
  EXPECT_EQ((*told)["key"], key);
  app_.reset();
  EXPECT_FALSE(SystemDisk().exists(folder + "/server.json"));
  start();
  EXPECT_FALSE(app_->key_is_new());
  EXPECT_EQ(app_->key(), key);
}

TEST_P(AppTest, ASecondServerAndABusyPortAreConflictsWithNames) {
  start();
  const auto second = App::start(config());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kConflict);
  EXPECT_THAT(second.error().message, HasSubstr(config().data));

  ServerConfig other = config();
  other.data = data_.path() + "/other";
  const std::string port = app_->url().substr(app_->url().rfind(':') + 1);
  other.listen = "127.0.0.1:" + port;
  const auto busy = App::start(other);
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, Code::kConflict);
  EXPECT_THAT(busy.error().message, HasSubstr(port));
  EXPECT_EQ(call("GET", "/readyz").status, 200);
}

TEST_P(AppTest, MessagesSurviveARestartOfAServerWithFiles) {
  start();
  EXPECT_EQ(
      json(call("POST", "/v1/topics/a.b/messages", R"({"text":"你好","id":"m1"})"))["durability"],
      std::string(GetParam()) == "memory" ? "memory" : "fsync");
  EXPECT_EQ(json(call("GET", "/v1/messages/m1"))["text"], "你好");
  app_.reset();
  start();
  const bool kept = std::string(GetParam()) == "segments";
  EXPECT_EQ(json(call("GET", "/v1/topics/a.b/messages"))["messages"].size(), kept ? 1u : 0u);
  EXPECT_EQ(call("GET", "/v1/messages/m1").status, kept ? 200 : 404);
}

TEST_P(AppTest, ConversationsAndSearch) {
  start();
  call("POST", "/v1/topics/in/messages",
       R"([{"text":"我要退款","conversation":"c1"},{"text":"red umbrella","conversation":"c2"}])");
  EXPECT_EQ(json(call("GET", "/v1/conversations"))["conversations"].size(), 2u);
  EXPECT_EQ(json(call("GET", "/v1/conversations/c1/messages"))["messages"][0]["text"], "我要退款");
  EXPECT_EQ(json(call("GET", "/v1/search?q=%E9%80%80%E6%AC%BE"))["messages"].size(), 1u);
  EXPECT_EQ(json(call("GET", "/v1/search?q=umbrella"))["messages"][0]["conversation"], "c2");
  EXPECT_EQ(call("GET", "/v1/search").status, 400);
}

TEST_P(AppTest, TheKeyIsNeededButForWhatIsOpen) {
  start();
  for (const char* path : {"/v1/topics", "/metrics", "/v1/models", "/nothing"}) {
    FetchRequest without = request("GET", path);
    without.headers = {{"Authorization", "Bearer wrong"}};
    EXPECT_EQ(fetch(without)->status, 401) << path;
  }
  for (const char* path : {"/healthz", "/readyz", "/", "/openapi.json", "/page.js"}) {
    FetchRequest without = request("GET", path);
    without.headers = {};
    EXPECT_EQ(fetch(without)->status, 200) << path;
  }
  FetchRequest foreign = request("POST", "/v1/topics/a/messages", R"({"text":"x"})");
  foreign.headers.emplace_back("Origin", "https://evil.example");
  EXPECT_EQ(fetch(foreign)->status, 403);
}

TEST_P(AppTest, SubscribersHearWhatIsPublished) {
  start();
  std::atomic<bool> open{false};
  std::string heard;
  std::thread reader([&] {
    FetchRequest subscribe = request("GET", "/v1/topics/news.>/subscribe?from=0");
    subscribe.on_head = [&](const FetchResponse&) { return open = true; };
    subscribe.on_body = [&](std::string_view chunk) {
      heard += chunk;
      return heard.find("last") == std::string::npos;
    };
    (void)fetch(subscribe);
  });
  call("POST", "/v1/topics/news.a/messages", R"({"text":"first"})");
  while (!open) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  call("POST", "/v1/topics/news.b/messages", R"({"text":"last"})");
  reader.join();
  EXPECT_THAT(heard, HasSubstr("\"text\":\"first\""));
  EXPECT_THAT(heard, HasSubstr("\"text\":\"last\""));
}

// A stream that is open must not hold up the end.
TEST_P(AppTest, StopsSoonWithReadersAttached) {
  start();
  std::atomic<bool> open{false};
  std::thread reader([&] {
    FetchRequest subscribe = request("GET", "/v1/topics/>/subscribe?from=0");
    subscribe.on_body = [](std::string_view) { return true; };
    subscribe.on_head = [&](const FetchResponse&) { return open = true; };
    (void)fetch(subscribe);
  });
  while (!open) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto begin = std::chrono::steady_clock::now();
  app_->stop();
  reader.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
}

TEST_P(AppTest, TellsItsState) {
  start();
  const Json status = json(call("GET", "/v1/status"));
  EXPECT_EQ(status["ready"], true);
  EXPECT_EQ(status["log"]["durability"], std::string(GetParam()) == "memory" ? "memory" : "fsync");
  EXPECT_TRUE(status["models"].empty());
  EXPECT_EQ(json(call("GET", "/v1/flows"))["flows"].size(), 0u);
  EXPECT_EQ(call("GET", "/v1/flows/none").status, 404);
  EXPECT_THAT(call("GET", "/metrics").body, HasSubstr("qiao_http_requests_total"));
}

TEST_P(AppTest, BodiesPastTheLimitAreRefused) {
  ServerConfig small = config();
  small.body_bytes_max = 2'000;
  auto app = App::start(small);
  ASSERT_TRUE(app) << app.error().message;
  app_ = std::move(*app);
  const std::string text(3'000, 'x');
  EXPECT_EQ(call("POST", "/v1/topics/a/messages", R"({"text":")" + text + R"("})").status, 413);
}

TEST_P(AppTest, AMissingFlowIsNamed) {
  ServerConfig lost = config();
  lost.flow_directories = {"/no/such/flow"};
  const auto app = App::start(lost);
  ASSERT_FALSE(app);
  EXPECT_THAT(app.error().message, HasSubstr("/no/such/flow"));
}

}  // namespace
}  // namespace qiao
