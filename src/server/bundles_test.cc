// SPDX-License-Identifier: Apache-2.0
// Bundles in a whole server: served, changed under load, refused, taken back, shadowed.
#include "server/bundles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/fetch.h"
#include "base/testing/temp_folder.h"
#include "model/testing/tiny_bundle.h"
#include "server/app.h"

namespace qiao::server {
namespace {

using qiao::testing::TempFolder;
using qiao::testing::TinyBundle;
using qiao::testing::write_tiny_bundle;
using ::testing::HasSubstr;

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
  FetchResponse shadow(const std::string& what, const std::string& query = "") const {
    return call("POST", "/v1/models/intents/shadow" + query, dump_json(Json{{"bundle", what}}));
  }
  [[nodiscard]] static std::string candidate_of(const FetchResponse& begun) {
    const Json report = parse_json(begun.body).value_or(Json::object());
    return json_string(report.value("candidate", Json::object()), "version").value_or("");
  }
  // The report, once so many messages were compared.
  [[nodiscard]] Json compared(int count) const {
    Json report;
    for (int i = 0; i < 2'000; ++i) {
      report = ask("GET", "/v1/models/intents/shadow");
      if (report.value("compared", -1) == count) return report;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ADD_FAILURE() << dump_json(report);
    return report;
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
  write_tiny_bundle(at("rating"), {{"number"}, {{"money", "number"}}, "regress"});
  EXPECT_THAT(promote(at("rating")).body, HasSubstr("the bundle intents tells a number"));
  EXPECT_EQ(promote(at("nowhere")).status, 404);
  EXPECT_EQ(call("POST", "/v1/models/none/rollback").status, 404);
  EXPECT_EQ(call("POST", "/v1/models/intents/promote", "{}").status, 400);
  say("m1", "money");
  EXPECT_EQ(judge_of(why("m1")), "intents@" + old_);
  EXPECT_EQ(read_bundle_state(at("models"), "intents")->current(), old_);
}

TEST_F(BundlesTest, ABundleOfSeveralHeadsIsServedShadowedAndTakenBack) {
  start();
  TinyBundle both{{}, {{"money", "refund angry"}, {"box", "order calm"}}, "heads"};
  both.heads = {{"intent", {"order", "refund"}}, {"mood", {"angry", "calm"}}};
  TinyBundle meek = both;
  meek.words["money"] = "refund calm";
  TinyBundle liar = both;
  liar.card = {{"self_test", {{{"text", "money"}, {"labels", {{"mood", "calm"}}}}}}};
  both.card = {{"self_test", {{{"text", "money"}, {"labels", {{"mood", "angry"}}}}}}};
  write_tiny_bundle(at("both"), both);
  write_tiny_bundle(at("meek"), meek);
  write_tiny_bundle(at("liar"), liar);
  const FetchResponse promoted = promote(at("both"));
  ASSERT_EQ(promoted.status, 200) << promoted.body;
  const Json done = parse_json(promoted.body).value();
  EXPECT_EQ(done["labels"], Json(both.heads));
  EXPECT_EQ(done["task"], "heads");
  EXPECT_EQ(ask("GET", "/v1/status")["models"][0]["bundle"]["labels"], Json(both.heads));
  ASSERT_EQ(shadow(at("meek")).status, 200);
  say("m1", "money");
  EXPECT_EQ(route_of(why("m1")), "refunds");
  EXPECT_EQ(judge_of(why("m1")), "intents@" + done["version"].get<std::string>());
  const Json pair = compared(1)["disagreements"][0];
  EXPECT_EQ(pair["current"], "mood=angry");
  EXPECT_EQ(pair["candidate"], "mood=calm");

  TinyBundle moods{{}, {{"money", "angry"}}, "heads"};
  moods.heads = {{"mood", {"angry", "calm"}}};
  write_tiny_bundle(at("moods"), moods);
  const FetchResponse lacks = promote(at("moods"));
  EXPECT_EQ(lacks.status, 412);
  EXPECT_THAT(parse_json(lacks.body).value_or(Json())["error"].dump(),
              HasSubstr("needs the head \\\"intent\\\"; the bundle intents has the heads: mood"));
  const Json other = parse_json(shadow(at("moods")).body).value();
  EXPECT_EQ(other["labels_only_current"], (Json{"intent=order", "intent=refund"}));
  EXPECT_THAT(other["unfit"].get<std::string>(), HasSubstr("needs the head"));
  EXPECT_THAT(promote(at("liar")).body, HasSubstr("0 of the 1 texts"));
  EXPECT_EQ(ask("POST", "/v1/models/intents/rollback")["version"], old_);
  say("m2", "money");
  EXPECT_EQ(judge_of(why("m2")), "intents@" + old_);
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

TEST_F(BundlesTest, AShadowComparesOnLiveMessagesAndChangesNone) {
  start();
  const FetchResponse begun = shadow(at("new"));
  ASSERT_EQ(begun.status, 200) << begun.body;
  const std::string fresh = candidate_of(begun);
  say("m1", "money");
  say("m2", "box");
  say("m3", "hello");
  for (const char* id : {"m1", "m2", "m3"}) EXPECT_EQ(judge_of(why(id)), "intents@" + old_);
  EXPECT_EQ(route_of(why("m1")), "refunds");
  const Json report = compared(3);
  EXPECT_EQ(report["current"]["version"], old_);
  EXPECT_EQ(report["candidate"]["version"], fresh);
  EXPECT_EQ(report["agreed"], 1);
  ASSERT_EQ(report["disagreements"].size(), 2U);
  EXPECT_EQ(report["disagreements"][0]["count"], 1);
  EXPECT_THAT(dump_json(report["disagreements"]), HasSubstr("\"message\":\"m1\""));
  EXPECT_EQ(report["failed"], 0);
  EXPECT_THAT(call("GET", "/metrics").body,
              HasSubstr("qiao_shadow_compared_total{bundle=\"intents\"} 3"));
  EXPECT_EQ(ask("GET", "/v1/status")["models"][0]["bundle"]["shadow"], fresh);
  EXPECT_EQ(ask("DELETE", "/v1/models/intents/shadow")["compared"], 3);
  EXPECT_EQ(call("GET", "/v1/models/intents/shadow").status, 404);
  EXPECT_EQ(call("DELETE", "/v1/models/intents/shadow").status, 404);
  EXPECT_EQ(read_bundle_state(at("models"), "intents")->current(), old_);
}

TEST_F(BundlesTest, PromotingEndsTheShadowAndSoDoesARestart) {
  start();
  const std::string fresh = candidate_of(shadow(at("new")));
  say("m1", "money");
  EXPECT_EQ(compared(1)["agreed"], 0);
  const Json done = parse_json(promote(fresh).body).value();
  EXPECT_EQ(done["version"], fresh);
  EXPECT_EQ(done["shadow"]["compared"], 1);
  EXPECT_EQ(call("GET", "/v1/models/intents/shadow").status, 404);
  EXPECT_EQ(shadow(old_).status, 200);
  start();
  const FetchResponse gone = call("GET", "/v1/models/intents/shadow");
  EXPECT_EQ(gone.status, 404);
  EXPECT_THAT(gone.body, HasSubstr("qiao model shadow intents BUNDLE"));
}

TEST_F(BundlesTest, APromoteThatIsRefusedLeavesTheShadow) {
  start();
  const std::string fresh = candidate_of(shadow(at("new")));
  write_tiny_bundle(at("other"), {{"cat", "dog"}, {{"money", "cat"}}});
  EXPECT_EQ(promote(at("other")).status, 412);
  say("m1", "money");
  EXPECT_EQ(compared(1)["candidate"]["version"], fresh);
}

TEST_F(BundlesTest, ASecondShadowTakesThePlaceOfTheFirst) {
  start();
  const std::string fresh = candidate_of(shadow(at("new")));
  write_tiny_bundle(at("third"), {{"order", "refund"}, {{"money", "refund"}}});
  const FetchResponse begun = shadow(at("third"));
  EXPECT_EQ(parse_json(begun.body).value()["replaced"], fresh);
  say("m1", "money");
  EXPECT_EQ(compared(1)["candidate"]["version"], candidate_of(begun));
}

TEST_F(BundlesTest, AShadowMayBeOfAnotherKindAndSaysSo) {
  start();
  write_tiny_bundle(at("other"), {{"order", "cat"}, {{"money", "cat"}}});
  const Json other = parse_json(shadow(at("other")).body).value();
  EXPECT_EQ(other["labels_only_current"], Json({"refund"}));
  EXPECT_EQ(other["labels_only_candidate"], Json({"cat"}));
  EXPECT_THAT(other["unfit"].get<std::string>(), HasSubstr("route refunds needs"));
  write_tiny_bundle(at("tags"), {{"O", "B-SUM"}, {{"money", "B-SUM"}}, "tag"});
  const Json tags = parse_json(shadow(at("tags")).body).value();
  EXPECT_EQ(tags["candidate"]["task"], "tag");
  EXPECT_EQ(tags["current"]["task"], "classify");
  say("m1", "money");
  EXPECT_EQ(compared(1)["agreed"], 0);
  EXPECT_EQ(judge_of(why("m1")), "intents@" + old_);
}

TEST_F(BundlesTest, WhatCannotBeAShadowIsRefusedInBothLanguages) {
  start();
  const FetchResponse nowhere = shadow(at("nowhere"));
  EXPECT_EQ(nowhere.status, 404);
  EXPECT_THAT(nowhere.body, HasSubstr("nor an installed version of intents"));
  EXPECT_THAT(shadow(at("nowhere"), "?lang=zh").body, HasSubstr("已安装的版本"));
  EXPECT_EQ(shadow(at("new"), "?lang=xx").status, 400);
  EXPECT_EQ(shadow(old_).status, 412);
  const FetchResponse unknown =
      call("POST", "/v1/models/moods/shadow", dump_json(Json{{"bundle", at("new")}}));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, HasSubstr("the bundles that are asked: intents"));
  const Json none = {{"bundle", at("new")}, {"percent", 0}};
  EXPECT_EQ(call("POST", "/v1/models/intents/shadow", dump_json(none)).status, 400);
  EXPECT_EQ(call("GET", "/v1/models/intents/shadow").status, 404);
}

// Shadows come and go while messages do: each is decided, by the version that is served.
TEST_F(BundlesTest, NoMessageNoticesAShadow) {
  start();
  constexpr int kMessages = 120;
  std::atomic<bool> sending{true};
  std::thread sender([&] {
    for (int i = 0; i < kMessages; ++i) say("m" + std::to_string(i), "money");
    sending = false;
  });
  for (int rounds = 0; sending || rounds < 2; ++rounds) {
    EXPECT_EQ(shadow(at("new")).status, 200);
    EXPECT_EQ(call("DELETE", "/v1/models/intents/shadow").status, 200);
  }
  sender.join();
  for (int i = 0; i < kMessages; ++i) {
    const Json found = why("m" + std::to_string(i));
    ASSERT_EQ(route_of(found), "refunds") << i;
    ASSERT_EQ(judge_of(found), "intents@" + old_) << i;
  }
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
