// SPDX-License-Identifier: Apache-2.0
#include "model/provider/provider_model.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <future>

#include "model/provider/provider_http.h"
#include "model/testing/fake_http.h"

namespace qiao {
namespace {

using testing::FakeHttp;
using testing::http_reply;
using testing::http_stream;
using testing::HttpAsked;
using testing::HttpScript;

std::string event(const std::string& json) {
  return "data: " + json + "\n\n";
}

std::string text_event(const std::string& text) {
  return event(R"({"choices":[{"index":0,"delta":{"content":")" + text + R"("}}]})");
}

std::string end_events(const std::string& reason = "stop") {
  return event(R"({"choices":[{"index":0,"delta":{},"finish_reason":")" + reason + R"("}]})") +
         event(R"({"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":2,)"
               R"("prompt_tokens_details":{"cached_tokens":8}}})") +
         event("[DONE]");
}

class Provider : public ::testing::Test {
 protected:
  std::shared_ptr<Model> open(const FakeHttp& server, int slots = 4) {
    ModelOptions options;
    options.name = "chat";
    options.url = server.url() + "/v1/";
    options.remote_name = "far-model";
    options.slots = slots;
    options.requests_max = 4;
    auto model = open_provider(options, clock_, metrics_);
    EXPECT_TRUE(model.has_value());
    return *model;
  }
  static GenerateRequest say(const std::string& text, std::int64_t deadline_ms = 20'000) {
    GenerateRequest request;
    request.turns = {{Role::kSystem, "Be short.", {}, ""}, {Role::kUser, text, {}, ""}};
    request.deadline_ms = deadline_ms;
    return request;
  }
  static Result<Generated> ask(Model& model, GenerateRequest request,
                               Model::OnText on_text = nullptr) {
    std::promise<Result<Generated>> done;
    auto future = done.get_future();
    model.generate(std::move(request), std::move(on_text),
                   [&](Result<Generated> answer) { done.set_value(std::move(answer)); });
    return future.get();
  }

  SystemClock clock_;
  Metrics metrics_;
};

TEST_F(Provider, StreamsTextInOrderAndCountsTokens) {
  FakeHttp server([](const HttpAsked&, int) {
    return http_stream({{text_event("你")}, {text_event("好"), 20}, {end_events()}});
  });
  std::string streamed;
  const auto answer =
      ask(*open(server), say("hi"), [&](std::string_view text) { streamed += text; });
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->text, "你好");
  EXPECT_EQ(streamed, "你好");
  EXPECT_EQ(answer->finish, Finish::kStop);
  EXPECT_EQ(answer->usage.prompt_tokens, 11);
  EXPECT_EQ(answer->usage.cached_tokens, 8);
  EXPECT_EQ(answer->usage.completion_tokens, 2);
  EXPECT_GT(answer->first_token_ms, 0);
  const Json body = *parse_json(server.asked().at(0).body);
  EXPECT_EQ(server.asked()[0].line, "POST /v1/chat/completions HTTP/1.1");
  EXPECT_EQ(body["model"], "far-model");
  EXPECT_EQ(body["messages"][1]["content"], "hi");
  EXPECT_EQ(body["stream"], true);
}

TEST_F(Provider, EventsMayBeCutAnywhere) {
  const std::string all = ": hello\r\n\r\n" + text_event("a") + text_event("bc") + end_events();
  std::vector<HttpScript::Piece> bytes;
  for (const char c : all) bytes.push_back({std::string(1, c)});
  FakeHttp server([&](const HttpAsked&, int) { return http_stream(bytes); });
  EXPECT_EQ(ask(*open(server), say("hi"))->text, "abc");
}

TEST_F(Provider, TakesAWholeAnswerInsteadOfAStream) {
  FakeHttp server([](const HttpAsked&, int) {
    return http_reply(200,
                      R"({"choices":[{"message":{"role":"assistant","content":"whole"},)"
                      R"("finish_reason":"length"}],"usage":{"prompt_tokens":3}})",
                      "Content-Type: application/json\r\n");
  });
  const auto answer = ask(*open(server), say("hi"));
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->text, "whole");
  EXPECT_EQ(answer->finish, Finish::kLength);
  EXPECT_EQ(answer->usage.prompt_tokens, 3);
}

TEST_F(Provider, JoinsToolCallsFromTheirPieces) {
  FakeHttp server([](const HttpAsked&, int) {
    return http_stream(
        {{event(R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","function":)"
                R"({"name":"order_lookup","arguments":"{\"id\":"}}]}}]})") +
          event(R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":)"
                R"({"arguments":"\"QX1\"}"}}]}}]})") +
          end_events("tool_calls")}});
  });
  GenerateRequest request = say("where is it");
  request.tools = *parse_json(R"([{"type":"function","function":{"name":"order_lookup"}}])");
  request.json_schema = *parse_json(R"({"type":"object","additionalProperties":false})");
  const auto answer = ask(*open(server), std::move(request));
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  ASSERT_EQ(answer->tool_calls.size(), 1U);
  EXPECT_EQ(answer->tool_calls[0].id, "c1");
  EXPECT_EQ(answer->tool_calls[0].name, "order_lookup");
  EXPECT_EQ(answer->tool_calls[0].arguments, R"({"id":"QX1"})");
  EXPECT_EQ(answer->finish, Finish::kToolCalls);
  const Json body = *parse_json(server.asked().at(0).body);
  EXPECT_EQ(body["tools"][0]["function"]["name"], "order_lookup");
  EXPECT_EQ(body["response_format"]["json_schema"]["strict"], true);
}

TEST_F(Provider, TriesAgainAfterTheTimeTheProviderAsksFor) {
  FakeHttp server([](const HttpAsked&, int exchange) {
    if (exchange == 0) return http_reply(429, "{}", "Retry-After: 1\r\n");
    return http_stream({{text_event("ok") + end_events()}});
  });
  const auto start = clock_.steady_us();
  const auto answer = ask(*open(server), say("hi"));
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->text, "ok");
  EXPECT_GE(clock_.steady_us() - start, 990'000);
  EXPECT_EQ(server.asked().size(), 2U);
}

TEST_F(Provider, TriesAgainAfterServerErrorsAndLostConnections) {
  FakeHttp server([](const HttpAsked&, int exchange) {
    if (exchange == 0) return http_reply(503, "down");
    if (exchange == 1) return HttpScript{};  // closes without a word
    return http_stream({{text_event("ok") + end_events()}});
  });
  EXPECT_EQ(ask(*open(server), say("hi"))->text, "ok");
  EXPECT_EQ(server.asked().size(), 3U);
}

TEST_F(Provider, GivesUpAfterFourTries) {
  FakeHttp server([](const HttpAsked&, int) {
    return http_reply(500, R"({"error":{"message":"broken inside"}})", "Retry-After: 0\r\n");
  });
  const auto model = open(server);
  const auto answer = ask(*model, say("hi"));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_NE(answer.error().message.find("broken inside"), std::string::npos);
  EXPECT_EQ(server.asked().size(), 4U);
  EXPECT_FALSE(model->info().ready);
  EXPECT_NE(model->info().note, "");
}

TEST_F(Provider, WaitsNoLongerThanTheDeadline) {
  FakeHttp server(
      [](const HttpAsked&, int) { return http_reply(429, "{}", "Retry-After: 600\r\n"); });
  const auto start = clock_.steady_us();
  EXPECT_EQ(ask(*open(server), say("hi")).error().code, Code::kOverloaded);
  EXPECT_LT(clock_.steady_us() - start, 2'000'000);
  EXPECT_EQ(server.asked().size(), 1U);
}

TEST_F(Provider, NeverTriesAgainOnceTextCame) {
  FakeHttp server([](const HttpAsked&, int) { return http_stream({{text_event("half")}}); });
  std::string streamed;
  const auto answer =
      ask(*open(server), say("hi"), [&](std::string_view text) { streamed += text; });
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(streamed, "half");
  EXPECT_EQ(server.asked().size(), 1U);
}

TEST_F(Provider, GarbageIsTheModelsFailure) {
  const std::vector<std::string> answers = {"data: not json\n\n",
                                            "data: []\n\n",
                                            "data: {\"error\":{\"message\":\"boom\"}}\n\n",
                                            "data: {\"choices\":[{\"delta\":7}]}\n\n",
                                            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{"
                                            "\"index\":-5}]}}]}\n\n",
                                            "data: \xff\xfe\n\n",
                                            "data: " + std::string(200'000, '[') + "\n\n"};
  FakeHttp server([&](const HttpAsked&, int exchange) {
    return http_stream({{answers[static_cast<std::size_t>(exchange)]}});
  });
  const auto model = open(server);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto answer = ask(*model, say("hi"));
    ASSERT_FALSE(answer.has_value()) << i;
    EXPECT_EQ(answer.error().code, Code::kModelFailed) << i << answer.error().message;
  }
}

TEST_F(Provider, SaysWhatIsWrongWithKeyAddressAndRequest) {
  const std::pair<int, Code> rows[] = {{401, Code::kUnauthenticated},
                                       {403, Code::kPermission},
                                       {404, Code::kNotFound},
                                       {400, Code::kInvalidArgument},
                                       {302, Code::kInvalidArgument}};
  FakeHttp server([&](const HttpAsked&, int exchange) {
    return http_reply(rows[exchange].first, R"({"error":{"message":"no such thing"}})");
  });
  const auto model = open(server);
  for (const auto& [status, code] : rows) {
    const auto answer = ask(*model, say("hi"));
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, code) << status;
    EXPECT_NE(answer.error().message.find("no such thing"), std::string::npos);
  }
}

TEST_F(Provider, DoesNotWaitForCreditThatIsSpent) {
  FakeHttp server([](const HttpAsked&, int) {
    return http_reply(429, R"({"error":{"message":"pay","code":"insufficient_quota"}})");
  });
  EXPECT_EQ(ask(*open(server), say("hi")).error().code, Code::kOverloaded);
  EXPECT_EQ(server.asked().size(), 1U);
}

TEST_F(Provider, SlowAnswersEndAtTheDeadline) {
  FakeHttp server([](const HttpAsked&, int) {
    return http_stream({{text_event("a")}, {text_event("b"), 1'500}, {end_events()}});
  });
  const auto start = clock_.steady_us();
  EXPECT_EQ(ask(*open(server), say("hi", 400)).error().code, Code::kDeadline);
  EXPECT_LT(clock_.steady_us() - start, 1'400'000);
}

TEST_F(Provider, WaitingRequestsEndAtTheirDeadlineToo) {
  FakeHttp server([](const HttpAsked&, int) {
    return http_stream({{text_event("a") + end_events(), 1'500}});
  });
  const auto model = open(server, 1);
  std::promise<void> first;
  model->generate(say("hi"), nullptr, [&](Result<Generated>) { first.set_value(); });
  const auto start = clock_.steady_us();
  EXPECT_EQ(ask(*model, say("later", 200)).error().code, Code::kDeadline);
  EXPECT_LT(clock_.steady_us() - start, 1'000'000);
  first.get_future().wait();
}

TEST_F(Provider, CancelEndsRunningAndWaitingRequests) {
  FakeHttp server([](const HttpAsked&, int) {
    std::vector<HttpScript::Piece> pieces;
    for (int i = 0; i < 40; ++i) pieces.push_back({text_event("x"), 50});
    return http_stream(pieces);
  });
  const auto model = open(server, 1);
  std::promise<Result<Generated>> running;
  std::promise<Result<Generated>> waiting;
  std::promise<void> started;
  std::atomic<bool> told{false};
  const auto first = model->generate(
      say("hi"),
      [&](std::string_view) {
        if (!told.exchange(true)) started.set_value();
      },
      [&](Result<Generated> answer) { running.set_value(std::move(answer)); });
  started.get_future().wait();
  const auto second = model->generate(
      say("hi"), nullptr, [&](Result<Generated> answer) { waiting.set_value(std::move(answer)); });
  model->cancel(second);
  EXPECT_EQ(waiting.get_future().get().error().code, Code::kCancelled);
  model->cancel(first);
  EXPECT_EQ(running.get_future().get().error().code, Code::kCancelled);
  model->cancel(first);
  model->cancel(999);
}

TEST_F(Provider, RefusesWhatPassesItsBound) {
  FakeHttp server([](const HttpAsked&, int) {
    return http_stream({{text_event("a") + end_events(), 300}});
  });
  std::atomic<int> overloaded{0};
  std::atomic<int> ended{0};
  int refused = 0;
  {
    const auto model = open(server, 1);  // one runs, four wait
    for (int i = 0; i < 12; ++i) {
      const auto id = model->generate(say("hi"), nullptr, [&](Result<Generated> answer) {
        ++ended;
        if (!answer && answer.error().code == Code::kOverloaded) ++overloaded;
      });
      if (id == 0) ++refused;
    }
  }  // the destructor ends what still waits
  EXPECT_EQ(ended, 12);
  EXPECT_EQ(overloaded, refused);
  EXPECT_GE(refused, 7);
}

TEST_F(Provider, EmbedsManyTextsInOrderAndToUnitNorm) {
  FakeHttp server([](const HttpAsked& asked, int) {
    const Json body = *parse_json(asked.body);
    Json data = Json::array();
    for (std::size_t i = body["input"].size(); i-- > 0;) {  // the other way round
      const double size = static_cast<double>(body["input"][i].get<std::string>().size());
      data.push_back({{"index", i}, {"embedding", {size, 1.0, 0.0}}});
    }
    return http_reply(200, dump_json({{"data", data}}), "Content-Type: application/json\r\n");
  });
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 150; ++i) texts.emplace_back(i, 'x');
  const auto model = open(server);
  const auto embedded = embed_and_wait(*model, texts);
  ASSERT_TRUE(embedded.has_value()) << embedded.error().message;
  ASSERT_EQ(embedded->size(), 150U);
  for (std::size_t i = 0; i < 150; ++i) {
    const auto size = static_cast<float>(i);
    EXPECT_NEAR((*embedded)[i][0], size / std::sqrt(size * size + 1), 1e-5);
  }
  EXPECT_EQ(server.asked().size(), 3U);
  EXPECT_EQ(model->info().embedding_size, 3);
}

TEST_F(Provider, RefusesEmbeddingsThatAreNotOnes) {
  const char* const answers[] = {"{}",
                                 R"({"data":[]})",
                                 R"({"data":[{"embedding":[]}]})",
                                 R"({"data":[{"embedding":["a"]}]})",
                                 R"({"data":[{"index":9,"embedding":[1]}]})",
                                 R"({"data":[{"embedding":[0,0]}]})"};
  FakeHttp server(
      [&](const HttpAsked&, int exchange) { return http_reply(200, answers[exchange]); });
  const auto model = open(server);
  for (const char* answer : answers) {
    const auto embedded = embed_and_wait(*model, {"a"});
    ASSERT_FALSE(embedded.has_value()) << answer;
    EXPECT_EQ(embedded.error().code, Code::kModelFailed);
  }
}

TEST_F(Provider, SendsTheKeyAndNeverSaysIt) {
  ::setenv("QIAO_TEST_PROVIDER_KEY", "sk-secret", 1);
  FakeHttp server([](const HttpAsked&, int) { return http_reply(401, "{}"); });
  ModelOptions options;
  options.name = "chat";
  options.url = server.url() + "/v1";
  options.api_key_env = "QIAO_TEST_PROVIDER_KEY";
  const auto answer = ask(**open_provider(options, clock_, metrics_), say("hi"));
  EXPECT_EQ(server.asked().at(0).headers.at("authorization"), "Bearer sk-secret");
  EXPECT_NE(answer.error().message.find("QIAO_TEST_PROVIDER_KEY"), std::string::npos);
  EXPECT_EQ(answer.error().message.find("sk-secret"), std::string::npos);

  ::unsetenv("QIAO_TEST_PROVIDER_KEY");
  EXPECT_EQ(open_provider(options, clock_, metrics_).error().code, Code::kUnauthenticated);
  options.url = "ftp://nowhere";
  EXPECT_EQ(open_provider(options, clock_, metrics_).error().code, Code::kInvalidArgument);
}

TEST_F(Provider, NobodyListeningIsUnavailable) {
  ModelOptions options;
  options.name = "chat";
  options.url = "http://127.0.0.1:1/v1";
  const auto answer = ask(**open_provider(options, clock_, metrics_), say("hi", 1'500));
  EXPECT_EQ(answer.error().code, Code::kUnavailable) << answer.error().message;
}

TEST_F(Provider, RefusesAGrammar) {
  FakeHttp server([](const HttpAsked&, int) { return http_reply(200, "{}"); });
  GenerateRequest request = say("hi");
  request.grammar = "root ::= \"a\"";
  EXPECT_EQ(ask(*open(server), std::move(request)).error().code, Code::kUnsupported);
  EXPECT_TRUE(server.asked().empty());
}

TEST(RetryAfter, TakesSecondsAndDates) {
  EXPECT_EQ(model::retry_after_ms("3", 0), 3'000);
  EXPECT_EQ(model::retry_after_ms("Thu, 01 Jan 1970 00:00:10 GMT", 4'000), 6'000);
  EXPECT_EQ(model::retry_after_ms("Thu, 01 Jan 1970 00:00:10 GMT", 60'000), 0);
  EXPECT_EQ(model::retry_after_ms("soon", 0), -1);
  EXPECT_EQ(model::retry_after_ms("", 0), -1);
  EXPECT_EQ(model::retry_after_ms("99999999", 0), 86'400'000);
}

}  // namespace
}  // namespace qiao
