// SPDX-License-Identifier: Apache-2.0
#include "learn/files/encoder_gguf.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/testing/temp_folder.h"
#include "learn/files/bundle.h"
#include "learn/testing/chance_encoder.h"

namespace qiao::learn {
namespace {

class EncoderExport : public ::testing::Test {
 protected:
  void SetUp() override {
#ifndef QIAO_TEST_GGUF
    GTEST_SKIP() << "built without llama.cpp";
#endif
  }
  std::string save(const std::string& name, const EncoderBundle& bundle) {
    EXPECT_TRUE(disk_.make_directories(folder_ / name));
    EXPECT_TRUE(save_encoder(disk_, folder_ / name, bundle));
    return folder_ / name;
  }
  // How far the file's tensors are from the encoder's at most.
  static float distance(const EncoderBundle& bundle, const std::string& gguf) {
    const auto base = open_base(gguf);
    EXPECT_TRUE(base) << base.error().message;
    float most = 0;
    for (const auto& [name, tensor] : bundle.weights) {
      if (name.starts_with("cls.")) continue;
      const auto read = base->weights->read(name);
      EXPECT_TRUE(read) << read.error().message;
      EXPECT_EQ(read->shape, tensor.sizes().vec()) << name;
      const torch::Tensor off = (torch::tensor(read->values) - tensor.flatten()).abs().max();
      most = std::max(most, off.item<float>());
    }
    return most;
  }

  const qiao::testing::TempFolder folder_;
  SystemDisk disk_;
};

TEST_F(EncoderExport, InBinary32TheFileHasTheSameTensors) {
  const EncoderBundle bundle = testing::chance_encoder();
  const std::string place = save("encoder", bundle);
  const std::string out = folder_ / "encoder.gguf";
  const auto difference = export_encoder(disk_, out, place, GgufNumbers::kFull);
  ASSERT_TRUE(difference) << difference.error().message;
  EXPECT_LT(*difference, 0.02);
  EXPECT_EQ(distance(bundle, out), 0);
  EXPECT_FALSE(disk_.exists(out + ".new"));
  BaseModel base = open_base(out).value();
  EXPECT_FLOAT_EQ(float(base.shape.epsilon), float(bundle.shape.epsilon));  // GGUF's is binary32
  base.shape.epsilon = bundle.shape.epsilon;
  EXPECT_EQ(dump_json(config_of_shape(base.shape)), dump_json(config_of_shape(bundle.shape)));
  EXPECT_EQ(base.licence, "MIT");
  EXPECT_EQ(base.tokenizer.pieces(), bundle.tokenizer.pieces());
}

TEST_F(EncoderExport, MatricesAreInBinary16WhenNothingElseIsAsked) {
  const EncoderBundle bundle = testing::chance_encoder();
  const std::string place = save("encoder", bundle);
  const std::string out = folder_ / "encoder.gguf";
  const auto difference = export_encoder(disk_, out, place, GgufNumbers::kHalf);
  ASSERT_TRUE(difference) << difference.error().message;
  EXPECT_GT(distance(bundle, out), 0);
  EXPECT_LT(distance(bundle, out), 2e-3);
}

TEST_F(EncoderExport, OfATaskBundleTheEncoderIsTakenEightBitsWideWhereItWas) {
  EncoderShape shape = testing::tiny_encoder_shape();
  shape.width = 32;
  shape.inner = 64;
  torch::manual_seed(3);
  const Bundle bundle{shape,
                      Task::kClassify,
                      12,
                      testing::letter_pieces(shape.vocabulary),
                      Labels({"no", "yes"}),
                      TextModel(shape, Task::kClassify, 2, 0.0),
                      Json::object(),
                      true};
  ASSERT_TRUE(disk_.make_directories(folder_ / "bundle"));
  ASSERT_TRUE(save_bundle(disk_, folder_ / "bundle", bundle));
  const std::string out = folder_ / "eight.gguf";
  const auto eight = export_encoder(disk_, out, folder_ / "bundle", GgufNumbers::kHalf);
  ASSERT_TRUE(eight) << eight.error().message;
  const std::string full = folder_ / "full.gguf";
  ASSERT_TRUE(export_encoder(disk_, full, folder_ / "bundle", GgufNumbers::kFull));
  EXPECT_LT(std::filesystem::file_size(out), std::filesystem::file_size(full) / 2);
}

TEST_F(EncoderExport, AnotherModelIsFarAway) {
  EncoderBundle bundle = testing::chance_encoder();
  const std::string out = folder_ / "encoder.gguf";
  ASSERT_TRUE(export_encoder(disk_, out, save("encoder", bundle), GgufNumbers::kFull));
  for (auto& [name, tensor] : bundle.weights) {
    if (name == "encoder.layer.0.attention.self.query.weight") tensor.data().mul_(3);
  }
  const BaseModel other = open_base(save("other", bundle)).value();
  const auto right = encoder_distance(open_base(folder_ / "encoder").value(), out);
  const auto wrong = encoder_distance(other, out);
  ASSERT_TRUE(right && wrong);
  EXPECT_GT(right->greatest, 0.5);  // there was something to differ
  EXPECT_GT(wrong->difference, 10 * right->difference);
}

// A folder whose two files are two models: what is read is not what is written.
TEST_F(EncoderExport, AFileThatDiffersIsNotLeft) {
  EncoderBundle bundle = testing::chance_encoder();
  const std::string first = save("first", bundle);
  for (auto& [name, tensor] : bundle.weights) tensor.data().neg_();
  const std::string second = save("second", bundle);
  ASSERT_TRUE(export_encoder(disk_, second + "/model.gguf", first, GgufNumbers::kFull));
  const std::string out = folder_ / "out.gguf";
  const auto difference = export_encoder(disk_, out, second, GgufNumbers::kHalf);
  ASSERT_FALSE(difference);
  EXPECT_EQ(difference.error().code, Code::kInternal) << difference.error().message;
  EXPECT_FALSE(disk_.exists(out));
  EXPECT_FALSE(disk_.exists(out + ".new"));
}

TEST_F(EncoderExport, WhatCannotBeWrittenIsNamed) {
  const auto code = [&](const std::string& place) {
    const auto tried = export_encoder(disk_, folder_ / "out.gguf", place, GgufNumbers::kHalf);
    EXPECT_FALSE(disk_.exists(folder_ / "out.gguf"));
    return tried ? Code::kInternal : tried.error().code;
  };
  const std::string gguf = folder_ / "encoder.gguf";
  ASSERT_TRUE(
      export_encoder(disk_, gguf, save("encoder", testing::chance_encoder()), GgufNumbers::kHalf));
  EXPECT_EQ(code(gguf), Code::kPrecondition);
  EXPECT_EQ(code(folder_ / "nowhere"), Code::kNotFound);
  EncoderShape table = testing::tiny_encoder_shape();
  table.layers = 0;
  EXPECT_EQ(code(save("table", testing::chance_encoder(table))), Code::kUnsupported);
}

}  // namespace
}  // namespace qiao::learn
