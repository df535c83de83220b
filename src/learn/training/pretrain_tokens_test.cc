// SPDX-License-Identifier: Apache-2.0
// Pre-training on a folder of tokens.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/digest.h"
#include "base/testing/temp_folder.h"
#include "learn/data/token_folder.h"
#include "learn/training/pretrain.h"

namespace qiao::learn {
namespace {

using qiao::testing::TempFolder;

// Texts that count on from each other, in files of 100 tokens.
std::string make_token_folder(Disk& disk, const std::string& path) {
  const CharacterCodec codec(Characters(U"\nabcdefgh"));
  std::filesystem::create_directories(path + "/tokenizer");
  EXPECT_TRUE(codec.save(disk, path + "/tokenizer"));
  TokenShardWriter writer(disk, {path, 2, 100});
  for (std::int64_t i = 0; i < 600; ++i) {
    EXPECT_TRUE(writer.add({i % 8, (i + 1) % 8, (i + 2) % 8, codec.end()}));
  }
  EXPECT_TRUE(writer.close());
  Json shards = Json::array();
  for (const TokenShard& shard : writer.shards()) shards.push_back(to_json(shard));
  const Json index = {
      {"kind", "tokens"}, {"vocabulary_sha256", fingerprint(codec)}, {"shards", shards}};
  EXPECT_TRUE(write_file_atomic(disk, path + "/index.json", dump_json(index)));
  return path;
}

TEST(PretrainTokens, LearnsFromTokenFiles) {
  const TempFolder folder;
  SystemDisk disk;
  PretrainOptions options;
  options.text = make_token_folder(disk, folder / "tokens");
  options.out = folder / "bundle";
  options.shape.layers = 1;
  options.shape.width = 16;
  options.shape.heads = 2;
  options.shape.context = 8;
  options.steps = 100;
  options.rate = 1e-2;
  options.warmup = 10;
  options.written = 0;
  options.bfloat16 = false;
  Progress progress{Language::kEnglish, false};
  const std::atomic<bool> stop{false};
  const auto card = pretrain(disk, options, progress, stop);
  ASSERT_TRUE(card) << card.error().message;
  // The first of a text is chance, the rest is told by what stands before.
  EXPECT_LT(json_number(*card, "validation_loss").value_or(9), 1.0);
  EXPECT_EQ((*card)["data"]["sha256"], sha256_file_hex(options.text + "/index.json").value());
}

}  // namespace
}  // namespace qiao::learn
