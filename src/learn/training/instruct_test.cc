// SPDX-License-Identifier: Apache-2.0
#include "learn/training/instruct.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "learn/data/conversations.h"
#include "learn/testing/chat_letters.h"
#include "learn/testing/training_test.h"
#include "model/open_model.h"

namespace qiao::learn {
namespace {

using testing::chance_decoder;
using testing::ChatLetters;
using testing::tiny_shape;

class Instruct : public testing::TrainingTest {
 protected:
  void SetUp() override {
#ifndef QIAO_TEST_GGUF
    GTEST_SKIP() << "built without llama.cpp";
#endif
    const auto bundle =
        chance_decoder(tiny_shape(Architecture::kLlama), std::make_shared<ChatLetters>());
    const auto written =
        export_decoder(disk_, folder_ / "base.gguf", bundle, GgufNumbers::kFull, "base");
    ASSERT_TRUE(written) << written.error().message;
    std::string rows;
    for (int i = 0; i < 24; ++i) {
      rows += i % 2 == 0 ? "{\"text\": \"ping\", \"answer\": \"pong!\"}\n"
                         : "{\"messages\": [{\"role\": \"user\", \"content\": \"tick\"}, "
                           "{\"role\": \"assistant\", \"content\": \"tock\"}]}\n";
    }
    folder_.write("train.jsonl", rows);
  }
  InstructOptions options(const std::string& out) {
    InstructOptions options;
    options.base = folder_ / "base.gguf";
    options.train = folder_ / "train.jsonl";
    options.out = folder_ / out;
    options.lora.rank = 8;
    options.epochs = 30;
    options.batch = 6;
    options.rate = 2e-2;
    options.tokens = 64;
    options.bfloat16 = false;
    return options;
  }
  Result<Json> run(const InstructOptions& options) {
    return instruct(disk_, options, progress_, stop_);
  }
  std::string sum(const std::string& name) {
    return sha256_file_hex(folder_ / (name + "/adapter.gguf")).value_or("none");
  }
  static std::string answer(const std::string& path, const std::string& adapter,
                            const std::string& text) {
    ModelOptions options;
    options.name = "taught";
    options.engine = "in-process";
    options.path = path;
    options.adapter = adapter;
    options.threads = 1;
    const SystemClock clock;
    Metrics metrics;
    const auto model = open_model(options, clock, metrics);
    if (!model) return model.error().message;
    GenerateRequest request;
    request.turns = {{Role::kUser, text, {}, {}}};
    request.tokens_max = 12;
    request.sampling.temperature = 0;
    request.sampling.repeat_penalty = 1;
    const auto generated = generate_and_wait(**model, request);
    return generated ? generated->text : generated.error().message;
  }
};

TEST_F(Instruct, TeachesAnswersThatTheServedModelGives) {
  const auto card = run(options("bundle"));
  ASSERT_TRUE(card) << card.error().message;
  // The small word table is the output's too and stays: the model cannot be surer than it allows.
  EXPECT_LT(json_number(*card, "dev_loss").value_or(9), 2);
  EXPECT_GT(json_number(*card, "base_loss").value_or(0), 3);
  const std::string base = folder_ / "base.gguf";
  const std::string adapter = folder_ / "bundle/adapter.gguf";
  EXPECT_NE(answer(base, "", "ping"), "pong!");
  EXPECT_EQ(answer(base, adapter, "ping"), "pong!");
  EXPECT_EQ(answer(base, adapter, "tick"), "tock");
  EXPECT_EQ(answer(folder_ / "bundle/model.gguf", "", "tick"), "tock");
}

TEST_F(Instruct, AResumedRunEndsAsAnUnbrokenOne) {
  InstructOptions whole = options("unbroken");
  whole.epochs = 3;
  ASSERT_TRUE(run(whole));
  InstructOptions broken = whole;
  broken.out = folder_ / "broken";
  broken.stop_after = 5;
  EXPECT_EQ(run(broken).error().code, Code::kCancelled);
  broken.stop_after = 0;
  broken.resume = true;
  // The adapter's name is the folder's, so the two files are compared after a rename.
  const auto card = run(broken);
  ASSERT_TRUE(card) << card.error().message;
  const auto read = [&](const char* name) {
    return open_decoder(folder_ / (std::string(name) + "/model.gguf"), 0).value();
  };
  const torch::Tensor ids = torch::arange(20).unsqueeze(0);
  EXPECT_TRUE(torch::equal(read("unbroken").bundle.model->forward(ids),
                           read("broken").bundle.model->forward(ids)));
}

TEST_F(Instruct, PartsOfAStepAddUpToTheStep) {
  InstructOptions whole = options("whole");
  whole.epochs = 1;
  whole.lora.dropout = 0;
  InstructOptions parts = whole;
  parts.out = folder_ / "parts";
  parts.at_once = 2;
  const double one = json_number(run(whole).value(), "dev_loss").value();
  const double other = json_number(run(parts).value(), "dev_loss").value();
  EXPECT_NEAR(one, other, 1e-4);
}

TEST_F(Instruct, BadRowsAndBasesAreNamed) {
  InstructOptions wrong = options("bundle");
  wrong.train = folder_.write("bad.jsonl", "{\"text\": \"a\", \"answer\": \"b\"}\n{\"text\": 3}\n");
  EXPECT_NE(run(wrong).error().message.find("bad.jsonl:2"), std::string::npos)
      << run(wrong).error().message;
  wrong = options("bundle");
  wrong.lora.targets = {"nothing"};
  EXPECT_NE(run(wrong).error().message.find("attn_q"), std::string::npos);
  wrong = options("bundle");
  wrong.base = folder_ / "nowhere";
  EXPECT_EQ(run(wrong).error().code, Code::kNotFound);
  EXPECT_FALSE(disk_.exists(folder_ / "bundle"));
}

// Only the assistant's words and the end of its turn are taught.
TEST_F(Instruct, TheAssistantsTokensAloneAreTaught) {
  const auto codec = model::TokenCodec::open(folder_ / "base.gguf").value();
  const Conversation turns = {{Role::kUser, "<|im_end|>?", {}, ""},
                              {Role::kAssistant, "yes", {}, ""},
                              {Role::kUser, "so", {}, ""},
                              {Role::kAssistant, "no", {}, ""}};
  const auto tokens = codec->encode_conversation(turns).value();
  std::string taught;
  std::size_t ends = 0;
  for (const auto& token : tokens) {
    if (!token.taught) continue;
    taught += codec->decode(token.id);
    if (token.id == codec->end()) ++ends;
  }
  EXPECT_EQ(taught, "yesno");
  EXPECT_EQ(ends, 2U);
  std::size_t controls = 0;
  for (const auto& token : tokens) controls += token.id == codec->end() ? 1 : 0;
  EXPECT_EQ(controls, 4U);  // one a turn: what a person wrote is none
  const std::vector<ChatTurn> silent = {{Role::kUser, "a", {}, ""}};
  EXPECT_EQ(codec->encode_conversation(silent).error().code, Code::kInvalidArgument);
}

TEST(TaughtBatch, PointsAtWhatComesBeforeATaughtToken) {
  const std::vector<model::TaughtToken> a = {{5, false}, {6, true}, {7, true}};
  const std::vector<model::TaughtToken> b = {{1, false}, {2, false}, {3, false}, {4, true}};
  const TaughtBatch batch = make_taught_batch({&a, &b});
  EXPECT_TRUE(torch::equal(batch.ids, torch::tensor({{5, 6, 0}, {1, 2, 3}})));
  EXPECT_TRUE(torch::equal(batch.places, torch::tensor({0, 1, 5})));
  EXPECT_TRUE(torch::equal(batch.targets, torch::tensor({6, 7, 4})));
}

}  // namespace
}  // namespace qiao::learn
