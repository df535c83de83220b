// SPDX-License-Identifier: Apache-2.0
// What is trained here and what llama.cpp serves are one model: equal tokens, equal scores.
#include <gtest/gtest.h>

#include <filesystem>

#include "learn/files/decoder_gguf.h"
#include "learn/models/lora.h"
#include "learn/testing/chat_letters.h"
#include "learn/training/decoder_cut.h"
#include "model/llama/llama_quantise.h"
#include "model/open_model.h"

namespace qiao::learn {
namespace {

using testing::chance_decoder;
using testing::ChatLetters;
using testing::TempFolder;
using testing::tiny_shape;

constexpr double kEqual = 1e-3;  // of scores of a size of tens
constexpr const char* kText = "春眠不觉晓，处处闻啼鸟。é 🙂 abc\n";

class Conformance : public ::testing::Test {
 protected:
  void SetUp() override {
#ifndef QIAO_TEST_GGUF
    GTEST_SKIP() << "built without llama.cpp";
#endif
  }
  static LanguageBundle poet(Architecture architecture, bool tied = true) {
    LanguageModelShape shape = tiny_shape(architecture);
    shape.tied = tied;
    return chance_decoder(shape,
                          std::make_shared<CharacterCodec>(Characters::of_text(kText).value()));
  }
  std::string write(const LanguageBundle& bundle, const std::string& name = "model.gguf") {
    const std::string path = folder_ / name;
    const auto difference = export_decoder(disk_, path, bundle, GgufNumbers::kFull, "tiny");
    EXPECT_TRUE(difference) << difference.error().message;
    EXPECT_LE(difference.value_or(9), kEqual);
    return path;
  }
  static std::vector<std::int64_t> ids_of(const LanguageBundle& bundle) {
    return bundle.codec->encode("啼晓 abc不眠é").value();
  }

  TempFolder folder_;
  SystemDisk disk_;
};

TEST_F(Conformance, LlamaCppGivesOurScoresInEveryArchitecture) {
  for (const Architecture one : kArchitectures) {
    if (!is_decoder(one)) continue;
    SCOPED_TRACE(name_of(one));
    const LanguageBundle bundle = poet(one);
    const std::string path = write(bundle, std::string(name_of(one)) + ".gguf");
    const auto distance = distance_to_llama(*bundle.model, path, "", ids_of(bundle));
    ASSERT_TRUE(distance) << distance.error().message;
    EXPECT_LE(distance->difference, kEqual);
    EXPECT_GT(distance->greatest, 1);  // there was something to differ
  }
}

// Layers of different widths: GGUF's `deci`, there and back.
TEST_F(Conformance, APrunedLlamaHasItsScoresInLlamaCpp) {
  const LanguageBundle whole = poet(Architecture::kLlama);
  DecoderCut cut;
  cut.groups = {{1}, {0, 1}};
  cut.neurons = {{0, 3, 4, 9, 20, 33, 60}, {}};
  for (std::int64_t i = 0; i < 32; ++i) cut.neurons[1].push_back(2 * i);
  const LanguageBundle pruned = cut_decoder(whole, cut);
  EXPECT_EQ(pruned.shape.layer_heads, (std::vector<std::int64_t>{2, 4}));
  const std::string path = write(pruned);
  const auto distance = distance_to_llama(*pruned.model, path, "", ids_of(pruned));
  ASSERT_TRUE(distance) << distance.error().message;
  EXPECT_LE(distance->difference, kEqual);
  EXPECT_GT(distance->greatest, 1);
  const auto again = open_decoder(path, 0);
  ASSERT_TRUE(again) << again.error().message;
  const torch::Tensor ids = torch::tensor(ids_of(pruned)).unsqueeze(0);
  EXPECT_TRUE(torch::equal(again->bundle.model->forward(ids), pruned.model->forward(ids)));
  ASSERT_TRUE(save_language_bundle(disk_, folder_ / ".", pruned));
  EXPECT_EQ(load_language_bundle(folder_ / ".")->shape.layer_inner, pruned.shape.layer_inner);
}

// What is cut wrote nothing: the scores stay.
TEST_F(Conformance, ACutOfWhatWritesNothingChangesNothing) {
  const LanguageBundle whole = poet(Architecture::kLlama);
  {
    const torch::NoGradGuard no_grad;
    const auto weights = whole.model->named_parameters();
    weights["blk.0.attn_output.weight"].narrow(1, 0, 16).zero_();  // the first two of four heads
    weights["blk.1.ffn_down.weight"].narrow(1, 10, 54).zero_();
  }
  DecoderCut cut;
  cut.groups = {{1}, {0, 1}};
  cut.neurons = {{}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};
  for (std::int64_t i = 0; i < 64; ++i) cut.neurons[0].push_back(i);
  const LanguageBundle pruned = cut_decoder(whole, cut);
  const torch::Tensor ids = torch::tensor(ids_of(whole)).unsqueeze(0);
  EXPECT_TRUE(torch::allclose(pruned.model->forward(ids), whole.model->forward(ids), 1e-5, 1e-5));
}

TEST_F(Conformance, AQuantisedDecoderIsNearAndSmaller) {
  LanguageModelShape shape = tiny_shape(Architecture::kLlama);
  shape.width = 256;
  shape.inner = 256;
  const LanguageBundle bundle =
      chance_decoder(shape, std::make_shared<CharacterCodec>(Characters::of_text(kText).value()));
  const std::string path = write(bundle);
  const std::string eight = folder_ / "eight.gguf";
  ASSERT_TRUE(model::quantise_gguf(disk_, path, eight, "q8_0", 1));
  ASSERT_TRUE(model::quantise_gguf(disk_, path, folder_ / "four.gguf", "q4_k", 1));
  EXPECT_LT(std::filesystem::file_size(folder_ / "four.gguf"), std::filesystem::file_size(eight));
  EXPECT_LT(2 * std::filesystem::file_size(eight), std::filesystem::file_size(path));
  const auto distance = distance_to_llama(*bundle.model, eight, "", ids_of(bundle));
  ASSERT_TRUE(distance) << distance.error().message;
  EXPECT_GT(distance->difference, kEqual);
  EXPECT_LT(distance->difference, 0.1 * distance->greatest);
  EXPECT_EQ(model::quantise_gguf(disk_, eight, folder_ / "twice.gguf", "q4_k", 1).error().code,
            Code::kPrecondition);
  EXPECT_EQ(model::quantise_gguf(disk_, path, folder_ / "two.gguf", "q2", 1).error().code,
            Code::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "twice.gguf"));
}

TEST_F(Conformance, AnOutputOfItsOwnIsExportedToo) {
  const LanguageBundle bundle = poet(Architecture::kLlama, false);
  const auto distance = distance_to_llama(*bundle.model, write(bundle), "", ids_of(bundle));
  ASSERT_TRUE(distance) << distance.error().message;
  EXPECT_LE(distance->difference, kEqual);
}

// Positions turned in the wrong pairs are what an export without care gives: it is seen.
TEST_F(Conformance, AWrongModelIsFarAway) {
  const LanguageBundle llama = poet(Architecture::kLlama);
  const std::string path = write(llama);
  const torch::NoGradGuard no_grad;
  weights_of(*llama.model)[3].second.mul_(1.05);
  EXPECT_GT(distance_to_llama(*llama.model, path, "", ids_of(llama))->difference, 10 * kEqual);
}

TEST_F(Conformance, TokensOfCharactersAreEqual) {
  const LanguageBundle bundle = poet(Architecture::kTransformer);
  const auto theirs = GgufCodec::open(write(bundle)).value();
  EXPECT_EQ(theirs->size(), bundle.codec->size());
  EXPECT_EQ(theirs->end(), bundle.codec->end());
  for (const std::string text :
       {kText, "晓晓\n\n  abc", "不在字表里的字：怪é🙂🙃", "<|endoftext|>", ""}) {
    EXPECT_EQ(theirs->encode(text).value(), bundle.codec->encode(text).value()) << text;
  }
  for (std::int64_t id = 0; id < theirs->size(); ++id) {
    EXPECT_EQ(theirs->decode(id), bundle.codec->decode(id));
  }
}

TEST_F(Conformance, AnImportedFileIsTheSameModel) {
  for (const Architecture one : {Architecture::kTransformer, Architecture::kQwen2}) {
    const LanguageBundle bundle = poet(one);
    const std::string path = write(bundle, std::string(name_of(one)) + ".gguf");
    const auto base = open_decoder(path, 0);
    ASSERT_TRUE(base) << base.error().message;
    const torch::Tensor ids = torch::tensor(ids_of(bundle)).unsqueeze(0);
    EXPECT_TRUE(torch::equal(base->bundle.model->forward(ids), bundle.model->forward(ids)));
  }
}

TEST_F(Conformance, ACutFileIsNamed) {
  const std::string path = write(poet(Architecture::kLlama));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 4000);
  const auto base = open_decoder(path, 0);
  ASSERT_FALSE(base);
  EXPECT_EQ(base.error().code, Code::kCorrupt) << base.error().message;
}

TEST_F(Conformance, AdaptersRunBesideTheirBaseAndWithinIt) {
  for (const Architecture one : {Architecture::kTransformer, Architecture::kLlama}) {
    SCOPED_TRACE(name_of(one));
    const LanguageBundle bundle = poet(one);
    const auto file = [&](const char* end) { return std::string(name_of(one)) + end; };
    const std::string base = write(bundle, file(".gguf"));
    LoraOptions options;
    options.rank = 3;
    ASSERT_TRUE(add_adapters(*bundle.model, options));
    for (auto& [name, tensor] : adapter_weights(*bundle.model)) {
      tensor.data().copy_(torch::randn_like(tensor) * 0.3);
    }
    const std::string adapter = folder_ / file("-adapter.gguf");
    ASSERT_TRUE(export_adapter(disk_, adapter, *bundle.model, one, options, "tiny"));
    const auto ids = ids_of(bundle);
    EXPECT_GT(distance_to_llama(*bundle.model, base, "", ids)->difference, 10 * kEqual);
    EXPECT_LE(distance_to_llama(*bundle.model, base, adapter, ids)->difference, kEqual);
    merge_adapters(*bundle.model);
    EXPECT_LE(distance_to_llama(*bundle.model, base, adapter, ids)->difference, kEqual);
    const std::string merged = write(bundle, file("-merged.gguf"));
    EXPECT_LE(distance_to_llama(*bundle.model, merged, "", ids)->difference, kEqual);
  }
}

// A model of characters goes on with what it is asked, through the seam that flows use.
TEST_F(Conformance, AServedModelWritesWhatOursWrites) {
  const LanguageBundle bundle = poet(Architecture::kLlama);
  ModelOptions options;
  options.name = "poet";
  options.engine = "in-process";
  options.path = write(bundle);
  options.threads = 1;
  const SystemClock clock;
  Metrics metrics;
  const auto model = open_model(options, clock, metrics);
  ASSERT_TRUE(model) << model.error().message;
  GenerateRequest request;
  request.turns = {{Role::kUser, "春眠", {}, {}}};
  request.tokens_max = 20;
  request.sampling.temperature = 0;
  request.sampling.repeat_penalty = 1;
  const auto generated = generate_and_wait(**model, request);
  ASSERT_TRUE(generated) << generated.error().message;
  EXPECT_EQ(generated->text, sample(bundle, {"春眠", 20, 0, 1}).value());
  EXPECT_EQ(generated->usage.prompt_tokens, 2);
}

}  // namespace
}  // namespace qiao::learn
