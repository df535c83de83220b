// SPDX-License-Identifier: Apache-2.0
// Bundles in a whole server: served, changed under load, refused, taken back.
#include "server/bundles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/fetch.h"
#include "model/testing/tiny_bundle.h"
#include "server/app.h"
#include "server/testing/temp_folder.h"

namespace qiao::server {
namespace {

using qiao::testing::TinyBundle;
using qiao::testing::write_tiny_bundle;
using ::testing::HasSubstr;
using testing::TempFolder;

#ifdef QIAO_TEST_GGUF

constexpr const char* kFlow = R"(flow: desk
understand: { heads: [ { name: intent, bundle: intents } ] }
routes:
  - { name: refunds, when: { intent: refund, score: ">= 0.8" }, to: agent.refunds }
  - { name: orders, when: { intent: order, score: ">= 0.8" }, to: agent.orders }
  - { name: rest, otherwise: true, to: agent.rest }
agents:
  refunds: { kind: template, template: { zh: 退款, en: Refunds. } }
  orders: { kind: template, template: { zh: 订单, en: Orders. } }
  rest: { kind: template, template: { zh: 其他, en: Rest. } }
)";

// The old bundle reads "money" as a refund, the new one as an order.
class BundlesTest : public ::testing::Test {
 protected:
  BundlesTest() {
    std::filesystem::create_directories(folder_.path() + "/desk");
    std::ofstream(folder_.path() + "/desk/flow.yaml") << kFlow;
    write_tiny_bundle(at("old"), {{"order", "refund"}, {{"money", "refund"}, {"box", "order"}}});
    write_tiny_bundle(at("new"), {{"order", "refund"}, {{"money", "order"}, {"box", "refund"}}});
    old_ = import_bundle(at("models"), "intents", at("old")).value_or("");
    EXPECT_TRUE(promote_version(at("models"), "intents", old_, 1));
  }
  [[nodiscard]] std::string at(const std::string& name) const {
    return folder_.path() + "/" + name;
  }

  void start() {
    app_.reset();
    ServerConfig config;
    config.data = at("data");
    config.listen = "127.0.0.1:0";
    config.models_directory = at("models");
    config.flow_directories = {at("desk")};
    config.chat_model = "none";
    config.bundle_engine = "in-process";
    config.fsync = false;
    config.log_level = "off";
    config.stop_grace_ms = 1'000;
    auto app = App::start(config);
    ASSERT_TRUE(app) << app.error().message;
    app_ = std::move(*app);
  }
  FetchResponse call(const std::string& method, const std::string& path,
                     const std::string& body = {}) const {
    FetchRequest request;
    request.method = method;
    request.url = app_->url() + path;
    request.headers = {{"Authorization", "Bearer " + app_->key()}};
    request.body = body;
    const auto response = fetch(request);
    EXPECT_TRUE(response) << response.error().message;
    return response.value_or(FetchResponse{});
  }
  [[nodiscard]] Json ask(const std::string& method, const std::string& path,
                         const std::string& body = {}) const {
    return parse_json(call(method, path, body).body).value_or(Json());
  }
  FetchResponse promote(const std::string& what) const {
    return call("POST", "/v1/models/intents/promote", dump_json(Json{{"bundle", what}}));
  }
  void say(const std::string& id, const std::string& text) const {
    const Json message = {{"text", text}, {"id", id}, {"conversation", id}};
    EXPECT_EQ(call("POST", "/v1/topics/desk.in/messages", dump_json(message)).status, 200);
  }
  // The why-record of a message, once its turn is over.
  [[nodiscard]] Json why(const std::string& id) const {
    for (int i = 0; i < 2'000; ++i) {
      const Json found = ask("GET", "/v1/messages/" + id + "/why");
      if (found.is_object() && found.contains("decision") && found["decision"].is_object()) {
        return found;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ADD_FAILURE() << id << " was not decided";
    return Json::object();
  }
  static std::string route_of(const Json& why) {
    return json_string(why.value("decision", Json::object()), "route").value_or("");
  }
  static std::string judge_of(const Json& why) {
    const Json seen = why.value("annotations", Json::object());
    return json_string(seen.value("bundles", Json::object()), "intent").value_or("");
  }

  TempFolder folder_;
  std::string old_;
  std::unique_ptr<App> app_;
};

TEST_F(BundlesTest, RoutesByABundleAndNamesItsVersion) {
  start();
  say("m1", "money please");
  const Json found = why("m1");
  EXPECT_EQ(route_of(found), "refunds");
  EXPECT_EQ(judge_of(found), "intents@" + old_);
  const Json models = ask("GET", "/v1/status")["models"];
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models[0]["kind"], "classifier");
  EXPECT_EQ(models[0]["bundle"]["version"], old_);
  EXPECT_EQ(models[0]["bundle"]["labels"], (Json{"order", "refund"}));
}

TEST_F(BundlesTest, PromotesTakesBackAndRemembers) {
  start();
  const Json done = parse_json(promote(at("new")).body).value();
  const std::string fresh = json_string(done, "version").value_or("");
  EXPECT_EQ(done["before"], old_);
  EXPECT_EQ(done["served"], true);
  say("m1", "money");
  EXPECT_EQ(judge_of(why("m1")), "intents@" + fresh);
  EXPECT_EQ(route_of(why("m1")), "orders");
  start();  // again
  say("m2", "money");
  EXPECT_EQ(route_of(why("m2")), "orders");
  EXPECT_EQ(ask("POST", "/v1/models/intents/rollback")["version"], old_);
  say("m3", "money");
  EXPECT_EQ(route_of(why("m3")), "refunds");
  EXPECT_EQ(call("POST", "/v1/models/intents/rollback").status, 412);
  EXPECT_EQ(promote(fresh).status, 200);  // a version that is here
}

TEST_F(BundlesTest, WhatDoesNotFitIsRefusedAndTheOldOneStays) {
  start();
  write_tiny_bundle(at("other"), {{"cat", "dog"}, {{"money", "cat"}}});
  TinyBundle liar{{"order", "refund"}, {{"money", "order"}}};
  liar.card = {{"self_test", {{{"text", "money"}, {"label", "refund"}}}}};
  write_tiny_bundle(at("liar"), liar);
  const FetchResponse other = promote(at("other"));
  EXPECT_EQ(other.status, 412);
  EXPECT_THAT(other.body, HasSubstr("route refunds needs"));
  EXPECT_THAT(other.body, HasSubstr("cat, dog"));
  EXPECT_THAT(promote(at("liar")).body, HasSubstr("0 of the 1 texts"));
  EXPECT_EQ(promote(at("nowhere")).status, 404);
  EXPECT_EQ(call("POST", "/v1/models/none/rollback").status, 404);
  EXPECT_EQ(call("POST", "/v1/models/intents/promote", "{}").status, 400);
  say("m1", "money");
  EXPECT_EQ(judge_of(why("m1")), "intents@" + old_);
  EXPECT_EQ(read_bundle_state(at("models"), "intents")->current(), old_);
}

// While versions go back and forth, every message is decided as a whole by one of them.
TEST_F(BundlesTest, NoMessageIsLostOrMisroutedWhileVersionsChange) {
  start();
  say("first", "money");
  EXPECT_EQ(judge_of(why("first")), "intents@" + old_);
  constexpr int kSenders = 3;
  constexpr int kMessages = 60;
  std::atomic<int> senders{kSenders};
  std::vector<std::thread> threads;
  for (int sender = 0; sender < kSenders; ++sender) {
    threads.emplace_back([&, sender] {
      for (int i = 0; i < kMessages; ++i) {
        say("m" + std::to_string(sender) + "-" + std::to_string(i), "money");
      }
      --senders;
    });
  }
  std::set<std::string> versions{old_};
  std::string last;
  int swaps = 0;
  for (; senders > 0 || swaps < 2; ++swaps) {
    const FetchResponse done = promote(at(swaps % 2 == 0 ? "new" : "old"));
    ASSERT_EQ(done.status, 200) << done.body;
    last = json_string(parse_json(done.body).value(), "version").value_or("");
    versions.insert(last);
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(versions.size(), 2U);
  for (int sender = 0; sender < kSenders; ++sender) {
    for (int i = 0; i < kMessages; ++i) {
      const Json found = why("m" + std::to_string(sender) + "-" + std::to_string(i));
      const std::string judge = judge_of(found);
      ASSERT_EQ(versions.count(judge.substr(judge.find('@') + 1)), 1U) << dump_json(found);
      EXPECT_EQ(route_of(found), judge == "intents@" + old_ ? "refunds" : "orders") << judge;
    }
  }
  say("last", "money");
  EXPECT_EQ(judge_of(why("last")), "intents@" + last);
}

TEST_F(BundlesTest, AFlowWithoutItsBundleDoesNotStart) {
  std::filesystem::remove_all(at("models/intents"));
  ServerConfig config;
  config.data = at("data");
  config.listen = "127.0.0.1:0";
  config.models_directory = at("models");
  config.flow_directories = {at("desk")};
  config.chat_model = "none";
  config.log_level = "off";
  const auto app = App::start(config);
  ASSERT_FALSE(app);
  EXPECT_THAT(app.error().message, HasSubstr("qiao model promote intents"));
}

#endif

}  // namespace
}  // namespace qiao::server
