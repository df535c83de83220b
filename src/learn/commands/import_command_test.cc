// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>

#include "base/digest.h"
#include "base/testing/temp_folder.h"
#include "learn/commands/commands.h"
#include "learn/files/encoder_gguf.h"
#include "learn/files/json_file.h"
#include "learn/testing/chance_encoder.h"
#include "learn/testing/chat_letters.h"
#include "model/testing/tiny_bert.h"

namespace qiao::learn {
namespace {

class Import : public ::testing::Test {
 protected:
  // What it prints.
  Result<Json> take(const std::string& from) {
    const std::atomic<bool> stop{false};
    const Session session{Language::kEnglish, false, stop};
    ::testing::internal::CaptureStdout();
    Status done = run_import(session, {"--from", from, "--out", out_});
    const std::string printed = ::testing::internal::GetCapturedStdout();
    if (!done) return std::move(done.error());
    return parse_json(printed);
  }
  std::string save(const EncoderBundle& bundle) {
    EXPECT_TRUE(disk_.make_directories(folder_ / "source"));
    EXPECT_TRUE(save_encoder(disk_, folder_ / "source", bundle));
    return folder_ / "source";
  }
  void expect_weights(const NamedTensors& wanted) {
    const auto base = open_base(out_);
    ASSERT_TRUE(base) << base.error().message;
    for (const auto& [name, tensor] : wanted) {
      const auto read = base->weights->read(name);
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_TRUE(torch::equal(torch::tensor(read->values), tensor.flatten())) << name;
    }
  }
  // The error, with nothing left behind.
  Error refusal(const std::string& from) {
    const auto taken = take(from);
    EXPECT_FALSE(taken);
    EXPECT_FALSE(disk_.exists(out_));
    EXPECT_FALSE(disk_.exists(out_ + ".partial"));
    return taken ? Error{} : taken.error();
  }

  const qiao::testing::TempFolder folder_;
  SystemDisk disk_;
  const std::string out_ = folder_ / "taken";
};

TEST_F(Import, AnEncoderKeepsItsWeightsItsHeadAndItsOrigin) {
  const EncoderBundle bundle = testing::chance_encoder();
  const auto told = take(save(bundle));
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_EQ((*told)["kind"], "encoder");
  expect_weights(bundle.weights);
  const Json card = read_json_file(out_ + "/card.json").value();
  EXPECT_EQ(card["licence"], "MIT");
  EXPECT_EQ(card["base"]["name"], "source");
  EXPECT_EQ(card["base"]["sha256"], sha256_file_hex(folder_ / "source/model.safetensors").value());
  EXPECT_EQ((*told)["base"], card["base"]);
  EXPECT_EQ(open_base(out_)->tokenizer.pieces(), bundle.tokenizer.pieces());
  EXPECT_EQ(open_base(out_)->shape.pooling, Pooling::kMean);
  EXPECT_FALSE(disk_.exists(out_ + ".partial"));
  EXPECT_EQ(take(folder_ / "source").error().code, Code::kAlreadyExists);
}

TEST_F(Import, TakesHuggingFacesOnnx) {
  EncoderShape shape = testing::tiny_encoder_shape();
  shape.layers = 1;
  shape.vocabulary = 7;
  folder_.write("onnx/config.json", dump_json(config_of_shape(shape)));
  folder_.write("onnx/tokenizer.json", qiao::testing::tiny_tokenizer(true));
  folder_.write("onnx/model.onnx", qiao::testing::tiny_onnx(qiao::testing::tiny_bert()));
  const auto told = take(folder_ / "onnx");
  ASSERT_TRUE(told) << told.error().message;
  NamedTensors wanted;
  for (const auto& tensor : qiao::testing::tiny_bert()) {
    wanted.emplace_back(tensor.name, torch::tensor(tensor.values));
  }
  expect_weights(wanted);
}

TEST_F(Import, ADecoderKeepsItsScores) {
  const LanguageBundle bundle = testing::chance_decoder(
      testing::tiny_shape(Architecture::kLlama),
      std::make_shared<CharacterCodec>(Characters::of_text("春眠不觉晓 abc").value()));
  const std::string place = folder_ / "poet";
  ASSERT_TRUE(disk_.make_directories(place));
  ASSERT_TRUE(save_language_bundle(disk_, place, bundle));
  const auto told = take(place);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_EQ((*told)["kind"], "language-model");
  EXPECT_EQ((*told)["weights"], count_weights(*bundle.model));
  const auto taken = load_language_bundle(out_);
  ASSERT_TRUE(taken) << taken.error().message;
  const torch::Tensor ids = torch::tensor({{0, 1, 2, 3, 2}}, torch::kLong);
  EXPECT_TRUE(torch::equal(taken->model->forward(ids), bundle.model->forward(ids)));
}

#ifdef QIAO_TEST_GGUF
TEST_F(Import, ABertGgufComesBackAsItWas) {
  EncoderBundle bundle = testing::chance_encoder();
  const std::string gguf = folder_ / "encoder.gguf";
  ASSERT_TRUE(export_encoder(disk_, gguf, save(bundle), GgufNumbers::kFull));
  const auto told = take(gguf);
  ASSERT_TRUE(told) << told.error().message;
  std::erase_if(bundle.weights, [](const auto& one) { return one.first.starts_with("cls."); });
  expect_weights(bundle.weights);
  EXPECT_EQ(open_base(out_)->shape.pooling, Pooling::kMean);
}

TEST_F(Import, ADecodersGgufKeepsItsScores) {
  const LanguageBundle bundle = testing::chance_decoder(testing::tiny_shape(Architecture::kQwen2),
                                                        std::make_shared<testing::ChatLetters>());
  const std::string gguf = folder_ / "chat.gguf";
  ASSERT_TRUE(export_decoder(disk_, gguf, bundle, GgufNumbers::kFull, "chat"));
  const auto told = take(gguf);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_TRUE(disk_.exists(out_ + "/model.gguf"));
  const auto taken = load_language_bundle(out_);
  ASSERT_TRUE(taken) << taken.error().message;
  const torch::Tensor ids = torch::tensor({{5, 1, 20, 3, 2}}, torch::kLong);
  EXPECT_TRUE(torch::equal(taken->model->forward(ids), bundle.model->forward(ids)));
}
#endif

TEST_F(Import, WhatItCannotTakeIsNamedAndLeavesNothing) {
  EXPECT_EQ(refusal(folder_ / "nowhere").code, Code::kNotFound);
  EXPECT_EQ(refusal(folder_.write("notes.txt", "hello")).code, Code::kInvalidArgument);
  folder_.write("mistral/config.json", R"({"model_type": "mistral", "hidden_size": 8})");
  const Error mistral = refusal(folder_ / "mistral");
  EXPECT_EQ(mistral.code, Code::kUnsupported);
  EXPECT_NE(mistral.message.find("GGUF"), std::string::npos) << mistral.message;
  folder_.write("llama/config.json", R"({"model_type": "llama", "vocab_size": 8})");
  const Error llama = refusal(folder_ / "llama");
  EXPECT_EQ(llama.code, Code::kCorrupt);
  EXPECT_NE(llama.message.find("num_hidden_layers"), std::string::npos) << llama.message;
  EncoderBundle torn = testing::chance_encoder();
  torn.weights.erase(torn.weights.begin() + 9);
  const std::string name = testing::chance_encoder().weights[9].first;
  const Error missing = refusal(save(torn));
  EXPECT_NE(missing.message.find(name), std::string::npos) << missing.message;
}

}  // namespace
}  // namespace qiao::learn
