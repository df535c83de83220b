// SPDX-License-Identifier: Apache-2.0
#include "model/worker/worker_codec.h"

#include <gtest/gtest.h>

namespace qiao::model {
namespace {

GenerateRequest full_request() {
  GenerateRequest request;
  request.turns = {{Role::kSystem, "Sei kurz. 简短。", {}, {}},
                   {Role::kAssistant, "", {{"call_1", "time", "{\"a\":1}"}}, {}},
                   {Role::kTool, "noon", {}, "call_1"}};
  request.shared_turns = 1;
  request.tokens_max = 33;
  request.stop = {"\n\n", "END"};
  request.sampling = {0.25, 0.5, 0.125, 7, 1.5, 99};
  request.grammar = "root ::= \"a\"";
  request.json_schema = *parse_json(R"({"type":"object"})");
  request.tools = *parse_json(R"([{"type":"function"}])");
  request.tool_choice = "required";
  request.priority = 9;
  return request;
}

TEST(WorkerCodec, ARequestArrivesWhole) {
  const auto sent = full_request();
  const auto body = encode_request(sent);
  const auto got = decode_request(body);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(encode_request(*got), body);
  EXPECT_EQ(got->turns[1].tool_calls[0].arguments, "{\"a\":1}");
  EXPECT_EQ(got->turns[2].tool_call_id, "call_1");
  EXPECT_EQ(got->sampling.seed, 99U);
  EXPECT_EQ(got->sampling.repeat_penalty, 1.5);
  EXPECT_EQ(got->stop, sent.stop);
  EXPECT_EQ(got->json_schema, sent.json_schema);
  EXPECT_EQ(got->priority, 9);
  EXPECT_TRUE(decode_request(encode_request(GenerateRequest()))->tools.is_null());
}

TEST(WorkerCodec, AnAnswerArrivesWhole) {
  Generated sent;
  sent.text = "十二点。";
  sent.tool_calls = {{"call_1", "time", "{}"}};
  sent.finish = Finish::kToolCalls;
  sent.usage = {10, 4, 3};
  sent.first_token_ms = 1.5;
  sent.total_ms = 20.25;
  const auto got = decode_generated(encode_generated(sent));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(encode_generated(*got), encode_generated(sent));
  EXPECT_EQ(got->usage.cached_tokens, 4);
  EXPECT_EQ(got->finish, Finish::kToolCalls);
}

TEST(WorkerCodec, ErrorsKeepTheirCode) {
  const Error sent{Code::kOverloaded, "too much"};
  EXPECT_EQ(decode_error(encode_error(sent)), sent);
  EXPECT_EQ(decode_error("{}").code, Code::kCorrupt);
  EXPECT_EQ(decode_error(R"({"code":99,"message":"x"})").code, Code::kCorrupt);
}

// Vectors of all tokens of a text are longer than those of another one.
TEST(WorkerCodec, ListsOfDifferentLengthsGoRound) {
  const Embeddings vectors = {{1, 2, 3, 4}, {}, {5, 6}};
  EXPECT_EQ(*decode_vectors(encode_vectors(vectors)), vectors);
  const std::vector<std::vector<std::int32_t>> tokens = {{101, 7, 102}, {101, 102}};
  const auto body = encode_tokens(tokens);
  EXPECT_EQ(*decode_tokens(body), tokens);
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(decode_tokens(body.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_tokens(body + "x"));
}

TEST(WorkerCodec, VectorsGoRoundAndMustFit) {
  const Embeddings sent = {{1, 2.5F, -3}, {0, 1e-30F, 7}};
  EXPECT_EQ(*decode_vectors(encode_vectors(sent)), sent);
  EXPECT_TRUE(decode_vectors(encode_vectors({}))->empty());
  const auto body = encode_vectors(sent);
  EXPECT_FALSE(decode_vectors(body.substr(0, body.size() - 1)));
  EXPECT_FALSE(decode_vectors(std::string_view("\xFF\xFF\xFF\xFF\0\0\0\0", 8)));
  EXPECT_FALSE(decode_vectors(std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8)));
}

// Goal: what a broken worker sends is an Error. Method: cut bodies at every byte.
TEST(WorkerCodec, WhatIsCutIsAnError) {
  ModelOptions options;
  options.name = "chat";
  const std::string bodies[] = {encode_request(full_request()), encode_generated(Generated()),
                                encode_info(ModelInfo()), encode_options(options),
                                encode_texts({"a", "b"})};
  for (const auto& body : bodies) {
    for (std::size_t size = 0; size < body.size(); ++size) {
      const auto cut = std::string_view(body).substr(0, size);
      EXPECT_FALSE(decode_request(cut) || decode_generated(cut) || decode_info(cut) ||
                   decode_options(cut) || decode_texts(cut));
    }
  }
  EXPECT_FALSE(decode_request(R"({"turns":[{"role":9,"content":"","tool_call_id":""}]})"));
}

}  // namespace
}  // namespace qiao::model
