// SPDX-License-Identifier: Apache-2.0
// The API's own rules, on a broker in memory and a clock that the test moves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/disk.h"
#include "server/api/sse.h"
#include "server/assets.h"
#include "server/testing/api_rig.h"

namespace qiao::server {
namespace {

using server::testing::ApiRig;
using server::testing::CapturedAnswer;
using ::testing::HasSubstr;
using ::testing::Not;

class Api : public ::testing::Test {
 protected:
  std::shared_ptr<CapturedAnswer> publish(const std::string& subject, const std::string& body) {
    return rig_.send("POST", "/v1/topics/" + subject + "/messages", body);
  }
  std::string fault(const std::string& path, const std::string& body) {
    const auto answer = rig_.send("POST", path, body);
    EXPECT_EQ(answer->status(), 400) << answer->body();
    return answer->json()["error"]["message"].get<std::string>();
  }
  static std::size_t count(const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size())
      ++found;
    return found;
  }
  ApiRig rig_;
};

TEST_F(Api, PublishAndReadBack) {
  const auto one = publish("orders.new", R"({"text":"first","id":"m1"})");
  EXPECT_EQ(one->status(), 200);
  EXPECT_EQ(one->json()["id"], "m1");
  EXPECT_EQ(one->json()["durability"], "memory");
  EXPECT_EQ(one->json()["duplicate"], false);
  EXPECT_EQ(publish("orders.new", R"({"text":"first","id":"m1"})")->json()["duplicate"], true);
  const auto many = publish("orders.eu", R"([{"text":"二"},{"text":"three"}])");
  EXPECT_EQ(many->json()["messages"].size(), 2u);

  const auto page = rig_.send("GET", "/v1/topics/orders.>/messages", "", {}, {{"limit", "2"}});
  EXPECT_EQ(page->json()["messages"].size(), 2u);
  EXPECT_EQ(page->json()["messages"][1]["text"], "二");
  const std::string next = std::to_string(page->json()["next"].get<int>());
  const auto rest = rig_.send("GET", "/v1/topics/orders.>/messages", "", {}, {{"from", next}});
  EXPECT_EQ(rest->json()["messages"][0]["text"], "three");
  EXPECT_EQ(rig_.send("GET", "/v1/topics")->json()["topics"].size(), 2u);
}

TEST_F(Api, BadMessagesAreRefusedWithThePlace) {
  EXPECT_THAT(fault("/v1/topics/a/messages", R"({"txt":"x"})"), HasSubstr("'text'"));
  EXPECT_THAT(fault("/v1/topics/a/messages", R"([{"text":"x"},{"text":7}])"),
              HasSubstr("message 1"));
  EXPECT_THAT(fault("/v1/topics/a/messages", R"({"text":"x","subject":"b"})"), HasSubstr("b"));
  EXPECT_THAT(fault("/v1/topics/a/messages", "[]"), HasSubstr("1 to 1000"));
  EXPECT_THAT(fault("/v1/topics/a/messages", R"({"id":"x"})"), HasSubstr("'text' or 'parts'"));
  EXPECT_THAT(fault("/v1/topics/a.*/messages", R"({"text":"x"})"), HasSubstr("*"));
  EXPECT_THAT(fault("/v1/topics/a/messages", std::string(100, '[') + std::string(100, ']')),
              HasSubstr("deeper"));
  EXPECT_EQ(rig_.send("GET", "/v1/topics")->json()["topics"].size(), 0u);
}

TEST_F(Api, QueriesAreChecked) {
  const auto limit = rig_.send("GET", "/v1/topics/a/messages", "", {}, {{"limit", "0"}});
  EXPECT_EQ(limit->status(), 400);
  const auto unknown = rig_.send("GET", "/v1/topics/a/messages", "", {}, {{"form", "0"}});
  EXPECT_THAT(unknown->body(), HasSubstr("'from'"));
}

TEST_F(Api, GroupsLeaseAckAndConflict) {
  EXPECT_EQ(rig_.send("PUT", "/v1/groups/w", R"({"pattern":"jobs.>","start":"oldest"})")->status(),
            200);
  EXPECT_EQ(rig_.send("PUT", "/v1/groups/w", R"({"pattern":"other.>"})")->status(), 409);
  publish("jobs.a", R"({"text":"work"})");
  const auto leased = rig_.send("POST", "/v1/groups/w/lease", R"({"consumer":"c","count":5})");
  ASSERT_EQ(leased->json()["deliveries"].size(), 1u) << leased->body();
  const Json delivery = leased->json()["deliveries"][0];
  EXPECT_EQ(delivery["message"]["text"], "work");
  const std::string ack =
      dump_json(Json{{"leases", {{{"offset", delivery["offset"]}, {"attempt", 1}}}}});
  EXPECT_EQ(rig_.send("POST", "/v1/groups/w/ack", ack)->status(), 200);
  EXPECT_EQ(rig_.send("POST", "/v1/groups/w/ack", ack)->status(), 409);
  EXPECT_EQ(rig_.send("GET", "/v1/groups")->json()["groups"][0]["acked"], 1);
  EXPECT_EQ(rig_.send("DELETE", "/v1/groups/w")->status(), 200);
  EXPECT_EQ(rig_.send("POST", "/v1/groups/w/lease", "{}")->status(), 404);
}

// Ack and answer are one: with a lease that has ended, nothing is stored.
TEST_F(Api, AnAckMayPublishWhatCameOfTheWork) {
  rig_.send("PUT", "/v1/groups/w", R"({"pattern":"jobs.>","start":"oldest"})");
  publish("jobs.a", R"({"text":"work"})");
  const Json delivery =
      rig_.send("POST", "/v1/groups/w/lease", R"({"consumer":"c"})")->json()["deliveries"][0];
  const Json lease{{"offset", delivery["offset"]}, {"attempt", delivery["attempt"]}};
  const auto ack = [&](const Json& results) {
    const Json body{{"leases", Json::array({lease})}, {"publish", results}};
    return rig_.send("POST", "/v1/groups/w/ack", dump_json(body));
  };
  const auto stored = [&] {
    return rig_.send("GET", "/v1/topics/done.>/messages")->json()["messages"].size();
  };
  EXPECT_EQ(ack(Json::array({{{"text", "no subject"}}}))->status(), 400);
  EXPECT_EQ(ack(Json::array({{{"text", "x"}, {"subject", "done.*"}}}))->status(), 400);
  EXPECT_EQ(stored(), 0u);
  const Json results = Json::array({{{"subject", "done.a"}, {"text", "one"}, {"id", "r1"}},
                                    {{"subject", "done.b"}, {"text", "two"}}});
  const auto first = ack(results);
  ASSERT_EQ(first->status(), 200) << first->body();
  EXPECT_EQ(first->json()["messages"][0]["id"], "r1");
  EXPECT_EQ(stored(), 2u);
  EXPECT_EQ(ack(Json::array({{{"subject", "done.a"}, {"text", "late"}}}))->status(), 409);
  EXPECT_EQ(stored(), 2u);
}

TEST_F(Api, TopicsAreKeptAsTheirSettingsSay) {
  const std::string path = "/v1/topics/orders.>/settings";
  EXPECT_EQ(rig_.send("GET", path)->status(), 404);
  EXPECT_EQ(rig_.send("PUT", path, R"({"retain_messages":1,"retain":1})")->status(), 400);
  EXPECT_EQ(rig_.send("PUT", path, R"({"retain_messages":1,"compact":true})")->status(), 200);
  const Json holds = rig_.send("GET", "/v1/topics/orders.new/settings")->json();
  EXPECT_EQ(holds["pattern"], "orders.>");
  EXPECT_EQ(holds["retain_messages"], 1);
  EXPECT_EQ(holds["compact"], true);
  EXPECT_EQ(holds["drop_unacked"], false);
  publish("orders.new", R"([{"text":"one"},{"text":"two"}])");
  rig_.loop().advance_ms(1'000);
  const Json topic = rig_.send("GET", "/v1/topics")->json()["topics"][0];
  EXPECT_EQ(topic["messages"], 1);
  EXPECT_EQ(topic["bytes"], 3);
  EXPECT_EQ(topic["settings"], "orders.>");
  EXPECT_EQ(rig_.send("GET", "/v1/topic-settings")->json()["settings"].size(), 1u);
  EXPECT_EQ(rig_.send("DELETE", path)->status(), 200);
  EXPECT_EQ(rig_.send("DELETE", path)->status(), 404);
}

TEST_F(Api, AFullGroupRefusesWithRetryAfter) {
  rig_.send("PUT", "/v1/groups/w", R"({"pattern":"jobs","backlog_max":1})");
  EXPECT_EQ(rig_.send("GET", "/v1/groups")->json()["groups"][0]["backlog_max"], 1);
  EXPECT_EQ(publish("jobs", R"([{"text":"a"},{"text":"b"}])")->status(), 429);
  EXPECT_EQ(publish("jobs", R"({"text":"a"})")->status(), 200);
  const auto refused = publish("jobs", R"({"text":"b"})");
  EXPECT_EQ(refused->status(), 429);
  EXPECT_EQ(refused->header("Retry-After"), "1");
  EXPECT_EQ(refused->json()["error"]["code"], "overloaded");
}

TEST_F(Api, AnExpectedLastMessage) {
  const auto say = [this](const std::string& last) {
    return publish("chat", R"({"text":"x","conversation":"c","expected_last":)" + last + "}");
  };
  const auto first = say("\"none\"");
  ASSERT_EQ(first->status(), 200) << first->body();
  const auto none = say("\"none\"");
  EXPECT_EQ(none->status(), 409);
  EXPECT_THAT(none->body(), HasSubstr("is " + dump_json(first->json()["offset"])));
  EXPECT_EQ(say(dump_json(first->json()["offset"]))->status(), 200);
  EXPECT_EQ(say("\"soon\"")->status(), 400);
}

TEST_F(Api, ACauseLimitsWhatItLeadsTo) {
  publish("a", R"({"text":"root","id":"r","budget":{"hops":1,"messages":1}})");
  EXPECT_EQ(publish("a", R"([{"text":"1","cause":"r"},{"text":"2","cause":"r"}])")->status(), 412);
  EXPECT_EQ(publish("a", R"({"text":"1","id":"c","cause":"r"})")->status(), 200);
  const auto refused = publish("a", R"({"text":"2","cause":"c"})");
  EXPECT_EQ(refused->status(), 412);
  EXPECT_THAT(refused->body(), HasSubstr("spent"));
}

TEST_F(Api, NackAndExtend) {
  rig_.send("PUT", "/v1/groups/w", R"({"pattern":"jobs","start":"oldest","lease_ms":1000})");
  publish("jobs", R"({"text":"work"})");
  const auto lease = [&] {
    return rig_.send("POST", "/v1/groups/w/lease", "{}")->json()["deliveries"];
  };
  const Json first = lease()[0];
  const std::string offset = dump_json(first["offset"]);
  const auto extended = rig_.send("POST", "/v1/groups/w/extend",
                                  R"({"lease_ms":60000,"attempt":1,"offset":)" + offset + "}");
  EXPECT_GT(extended->json()["until_ms"].get<std::int64_t>(),
            first["until_ms"].get<std::int64_t>());
  rig_.loop().advance_ms(5'000);
  EXPECT_TRUE(lease().empty());
  rig_.send("POST", "/v1/groups/w/nack", R"({"counts":false,"offset":)" + offset + "}");
  ASSERT_EQ(lease().size(), 1u);
}

TEST_F(Api, ReceiptsComeWithTheNextAttempt) {
  rig_.send("PUT", "/v1/groups/w", R"({"pattern":"jobs","start":"oldest"})");
  publish("jobs", R"({"text":"work"})");
  const auto lease = [&] {
    return rig_.send("POST", "/v1/groups/w/lease", "{}")->json()["deliveries"];
  };
  const Json first = lease()[0];
  EXPECT_FALSE(first.contains("receipts"));
  const std::string ref = R"({"attempt":1,"offset":)" + dump_json(first["offset"]);
  const auto store = [&](const std::string& receipts) {
    return rig_.send("POST", "/v1/groups/w/receipts", ref + R"(,"receipts":)" + receipts + "}")
        ->status();
  };
  EXPECT_EQ(store(R"([{"step":"refund","data":{"id":"r-17"}},{"step":"note","data":"sent"}])"),
            200);
  EXPECT_EQ(store("[]"), 400);
  EXPECT_EQ(store(R"([{"step":"refund"}])"), 400);
  EXPECT_EQ(store(R"([{"step":"","data":1}])"), 400);
  EXPECT_EQ(rig_.send("POST", "/v1/groups/w/nack", ref + "}")->status(), 200);
  EXPECT_EQ(store(R"([{"step":"late","data":1}])"), 409);
  const Json second = lease()[0];
  EXPECT_EQ(second["receipts"], Json::parse(R"([{"step":"refund","data":{"id":"r-17"}},
                                                {"step":"note","data":"sent"}])"));
}

TEST_F(Api, AFlowsOwnGroupsAreNotTouched) {
  EXPECT_EQ(rig_.send("PUT", "/v1/groups/flow.shop", R"({"pattern":"a"})")->status(), 403);
  EXPECT_EQ(rig_.send("DELETE", "/v1/groups/flow.shop")->status(), 403);
}

// A consumer that waits for work and goes away must not take the next message with it.
TEST_F(Api, ALeaseOfAConsumerThatLeftIsNotGiven) {
  rig_.send("PUT", "/v1/groups/w", R"({"pattern":"jobs","start":"oldest"})");
  const auto waiting = rig_.send("POST", "/v1/groups/w/lease", R"({"wait_ms":60000})");
  EXPECT_EQ(waiting->status(), 0);
  waiting->leave();
  rig_.loop().run();
  publish("jobs", R"({"text":"work"})");
  const auto other = rig_.send("POST", "/v1/groups/w/lease", "{}");
  ASSERT_EQ(other->json()["deliveries"].size(), 1u);
  EXPECT_EQ(other->json()["deliveries"][0]["attempt"], 1);
}

TEST_F(Api, RequestReply) {
  EXPECT_EQ(rig_.send("POST", "/v1/topics/q/requests", R"({"text":"?"})")->status(), 404);
  rig_.send("PUT", "/v1/groups/echo", R"({"pattern":"q"})");
  const auto asked = rig_.send("POST", "/v1/topics/q/requests", R"({"text":"ping"})");
  const Json message =
      rig_.send("POST", "/v1/groups/echo/lease", "{}")->json()["deliveries"][0]["message"];
  publish(message["reply_to"].get<std::string>(), R"({"text":"PONG"})");
  EXPECT_EQ(asked->json()["text"], "PONG");
  const auto late = rig_.send("POST", "/v1/topics/q/requests", R"({"text":"x","timeout_ms":50})");
  rig_.loop().advance_ms(60);
  EXPECT_EQ(late->status(), 504);
}

// Live subscriptions

TEST_F(Api, SubscribeReplaysThenFollows) {
  publish("a.b", R"({"text":"old"})");
  const auto all = rig_.send("GET", "/v1/topics/a.>/subscribe", "", {}, {{"from", "0"}});
  const auto fresh = rig_.send("GET", "/v1/topics/a.>/subscribe");
  publish("a.b", R"({"text":"new"})");
  publish("x.y", R"({"text":"other"})");
  EXPECT_THAT(all->body(), HasSubstr("\"text\":\"old\""));
  EXPECT_THAT(all->body(), HasSubstr("\"text\":\"new\""));
  EXPECT_THAT(all->body(), Not(HasSubstr("other")));
  EXPECT_THAT(fresh->body(), Not(HasSubstr("old")));
  EXPECT_THAT(fresh->body(), HasSubstr("id: 1\nevent: message\ndata: {"));
  EXPECT_EQ(all->header("Content-Type"), "text/event-stream");
}

TEST_F(Api, SubscribeResumesAfterTheLastEventId) {
  for (int i = 0; i < 3; ++i) publish("a", R"({"text":"x"})");
  const auto resumed = rig_.send("GET", "/v1/topics/a/subscribe", "", {{"last-event-id", "1"}});
  EXPECT_EQ(count(resumed->body(), "event: message"), 1u);
  EXPECT_THAT(resumed->body(), HasSubstr("id: 2\n"));
  EXPECT_EQ(rig_.send("GET", "/v1/topics/a/subscribe", "", {{"last-event-id", "x"}})->status(),
            400);
}

TEST_F(Api, ASlowReaderMissesNothing) {
  const auto slow = rig_.send("GET", "/v1/topics/a/subscribe", "", {}, {{"from", "0"}});
  slow->set_room(3);
  for (int i = 0; i < 200; ++i) publish("a", R"({"text":"x"})");
  EXPECT_EQ(count(slow->body(), "event: message"), 3u);
  slow->set_room(100);
  rig_.loop().advance_ms(1'000);
  publish("a", R"({"text":"x"})");
  slow->set_room(1'000);
  rig_.loop().advance_ms(1'000);
  publish("a", R"({"text":"x"})");
  for (int i = 0; i < 202; ++i) {
    EXPECT_EQ(count(slow->body(), "id: " + std::to_string(i) + "\n"), 1u) << i;
  }
  EXPECT_FALSE(slow->ended());
}

TEST_F(Api, AReaderThatTakesNothingIsCut) {
  const auto stuck = rig_.send("GET", "/v1/topics/a/subscribe");
  stuck->set_room(0);
  publish("a", R"({"text":"x"})");
  rig_.loop().advance_ms(29'000);
  EXPECT_FALSE(stuck->ended());
  rig_.loop().advance_ms(2'000);
  EXPECT_TRUE(stuck->ended());
}

TEST_F(Api, SilentStreamsBeat) {
  const auto silent = rig_.send("GET", "/v1/topics/a/subscribe");
  rig_.loop().advance_ms(Heartbeat::kEveryMs * 2 + 10);
  EXPECT_EQ(count(silent->body(), ": still here"), 2u);
}

// Streams of answers

StreamEvent piece(const char* text) {
  return {StreamEvent::Kind::kText, 0, text, nullptr};
}

TEST_F(Api, AStreamIsFollowedToItsEnd) {
  const auto writer = rig_.streams().begin("m1");
  ASSERT_TRUE(writer);
  ASSERT_TRUE(rig_.streams().write("m1", *writer, piece("Good ")));
  const auto reader = rig_.send("GET", "/v1/streams/m1");
  ASSERT_TRUE(rig_.streams().write("m1", *writer,
                                   {StreamEvent::Kind::kReset, 0, "", Json{{"reason", "r"}}}));
  ASSERT_TRUE(rig_.streams().write("m1", *writer, piece("day")));
  ASSERT_TRUE(rig_.streams().write("m1", *writer,
                                   {StreamEvent::Kind::kEnd, 0, "", Json{{"finish", "reply"}}}));
  rig_.loop().run();
  EXPECT_THAT(reader->body(), HasSubstr("id: 1.1\nevent: text\ndata: {\"text\":\"Good \"}"));
  EXPECT_THAT(reader->body(), HasSubstr("id: 1.2\nevent: reset"));
  EXPECT_THAT(reader->body(), HasSubstr("id: 1.4\nevent: end\ndata: {\"finish\":\"reply\"}"));
  EXPECT_TRUE(reader->ended());
  const auto late = rig_.send("GET", "/v1/streams/m1", "", {{"last-event-id", "1.3"}});
  EXPECT_THAT(late->body(), Not(HasSubstr("event: text")));
  EXPECT_TRUE(late->ended());
}

// 204 is what stops an EventSource: it would come back to a stream that merely ends.
TEST_F(Api, AReaderThatHadTheEndIsToldAtOnce) {
  const auto writer = rig_.streams().begin("m1");
  ASSERT_TRUE(writer);
  ASSERT_TRUE(rig_.streams().write("m1", *writer, piece("Good day")));
  const auto waiting = rig_.send("GET", "/v1/streams/m1", "", {{"last-event-id", "1.1"}});
  const auto ahead = rig_.send("GET", "/v1/streams/m1", "", {{"last-event-id", "1.7"}});
  rig_.loop().advance_ms(1'000);
  EXPECT_EQ(waiting->status(), 200);
  EXPECT_FALSE(waiting->ended());
  ASSERT_TRUE(rig_.streams().write("m1", *writer,
                                   {StreamEvent::Kind::kEnd, 0, "", Json{{"finish", "reply"}}}));
  rig_.loop().run();
  EXPECT_THAT(waiting->body(), HasSubstr("id: 1.2\nevent: end"));
  EXPECT_TRUE(ahead->ended());
  const auto again = rig_.send("GET", "/v1/streams/m1", "", {{"last-event-id", "1.2"}});
  EXPECT_TRUE(again->ended());
  EXPECT_EQ(again->status(), 204);
  EXPECT_EQ(again->body(), "");
}

TEST_F(Api, AStreamThatStaysSilentEnds) {
  const auto reader = rig_.send("GET", "/v1/streams/nobody");
  rig_.loop().advance_ms(400'000);
  EXPECT_TRUE(reader->ended());
  EXPECT_THAT(reader->body(), HasSubstr("event: error"));
}

// Models

class Fake final : public Model {
 public:
  explicit Fake(std::string kind) : kind_(std::move(kind)) {}
  [[nodiscard]] ModelInfo info() const override {
    ModelInfo info;
    info.kind = kind_;
    return info;
  }
  RequestId generate(GenerateRequest /*request*/, OnText /*on_text*/,
                     OnGenerated /*on_done*/) override {
    return 0;
  }
  void cancel(RequestId /*request*/) override {}
  void embed(std::vector<std::string> /*texts*/, OnEmbedded on_done) override {
    on_done(Error{Code::kUnsupported, "open an encoder with `encoder: true`"});
  }
  Result<std::int32_t> count_tokens(std::string_view /*text*/) override { return 1; }

 private:
  std::string kind_;
};

TEST_F(Api, WhoHasNoEmbeddingsNamesThoseThatHave) {
  rig_.models()["chat"] = std::make_shared<Fake>("generator");
  const std::string body = R"({"model":"chat","input":"hi"})";
  const auto alone = rig_.send("POST", "/v1/embeddings", body);
  EXPECT_EQ(alone->json()["error"]["message"],
            "model 'chat' has no embeddings; no model of this server has");
  rig_.models()["encoder-en"] = std::make_shared<Fake>("encoder");
  rig_.models()["encoder-zh"] = std::make_shared<Fake>("encoder");
  const auto answer = rig_.send("POST", "/v1/embeddings", body);
  EXPECT_EQ(answer->json()["error"]["message"],
            "model 'chat' has no embeddings; these have: encoder-en, encoder-zh");
}

// What is compiled in

TEST_F(Api, OpenapiAndRouterNameTheSamePaths) {
  const auto description = parse_json(assets::openapi());
  ASSERT_TRUE(description) << description.error().message;
  std::set<std::string> described;
  for (const auto& [path, methods] : (*description)["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      std::string upper = method;
      for (char& c : upper) c = static_cast<char>(std::toupper(c));
      described.insert(upper + " " + path);
      EXPECT_TRUE(operation.contains("responses")) << path;
    }
  }
  std::set<std::string> routed;
  for (const Router::Route& route : rig_.router().routes())
    routed.insert(route.method + " " + route.pattern);
  EXPECT_EQ(described, routed);
}

TEST_F(Api, EveryReferenceOfOpenapiIsThere) {
  const auto description = parse_json(assets::openapi());
  ASSERT_TRUE(description);
  const std::string text(assets::openapi());
  const std::string mark = "\"$ref\": \"#";
  for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos;) {
    at += mark.size();
    const std::string pointer = text.substr(at, text.find('"', at) - at);
    EXPECT_TRUE(description->contains(Json::json_pointer(pointer))) << pointer;
  }
}

TEST_F(Api, ThePageLetsNothingIn) {
  const auto page = rig_.send("GET", "/");
  EXPECT_THAT(page->header("Content-Security-Policy"), HasSubstr("default-src 'none'"));
  EXPECT_THAT(page->body(), HasSubstr("/page.js"));
  // The policy would break them.
  EXPECT_THAT(page->body(), Not(HasSubstr(" style=")));
  EXPECT_THAT(page->body(), Not(HasSubstr("onclick")));
  EXPECT_THAT(std::string(assets::page_js()), Not(HasSubstr("innerHTML")));
}

TEST(ErrorsPage, ListsEveryCodeWithItsNumberAndStatus) {
  const auto page = read_file(std::string(QIAO_SOURCE) + "/docs/reference/errors.md");
  ASSERT_TRUE(page) << page.error().message;
  for (int number = 1; number <= static_cast<int>(Code::kInternal); ++number) {
    const Code code = static_cast<Code>(number);
    const std::string row = "| `" + std::string(name_of(code)) + "` | " + std::to_string(number) +
                            " | " + std::to_string(http_status(code)) + " |";
    EXPECT_THAT(*page, HasSubstr(row));
  }
}

}  // namespace
}  // namespace qiao::server
