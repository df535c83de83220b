// SPDX-License-Identifier: Apache-2.0
#include "learn/data/token_folder.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/testing/temp_folder.h"
#include "learn/data/token_corpus.h"

namespace qiao::learn {
namespace {

using testing::TempFolder;
using Tokens = std::vector<std::int64_t>;

class TokenFolderTest : public ::testing::Test {
 protected:
  // A folder as `train corpus` leaves it, of texts that count on from each other, in small files.
  std::string make(std::int64_t texts) {
    const CharacterCodec codec(Characters(U"\nabcdefgh"));
    std::filesystem::create_directories(path() + "/tokenizer");
    EXPECT_TRUE(codec.save(disk_, path() + "/tokenizer"));
    TokenShardWriter writer(disk_, {path(), 2, 100});
    for (std::int64_t i = 0; i < texts; ++i) EXPECT_TRUE(writer.add(text(i)));
    EXPECT_TRUE(writer.close());
    Json shards = Json::array();
    for (const TokenShard& shard : writer.shards()) shards.push_back(to_json(shard));
    const Json index = {
        {"kind", "tokens"}, {"vocabulary_sha256", fingerprint(codec)}, {"shards", shards}};
    EXPECT_TRUE(write_file_atomic(disk_, path() + "/index.json", dump_json(index)));
    return path();
  }
  static Tokens text(std::int64_t i) { return {i % 8, (i + 1) % 8, (i + 2) % 8, 9}; }
  [[nodiscard]] std::string path() const { return folder_ / "tokens"; }

  TempFolder folder_;
  SystemDisk disk_;
};

TEST_F(TokenFolderTest, ReadsAcrossItsFiles) {
  const auto folder = open_token_folder(make(60));
  ASSERT_TRUE(folder) << folder.error().message;
  ASSERT_EQ(folder->tokens.size(), 240U);
  EXPECT_EQ(folder->index["shards"].size(), 3U);
  Tokens all(240);
  folder->tokens.copy(0, all.size(), all.data());
  for (std::int64_t i = 0; i < 60; ++i) {
    const auto at = all.begin() + 4 * i;
    EXPECT_EQ(Tokens(at, at + 4), text(i));
  }
  const TokenRow part = folder->tokens.slice(98, 205);
  EXPECT_EQ(part.size(), 107U);
  EXPECT_EQ(part[2], all[100]);
  EXPECT_EQ(part[106], all[204]);
}

TEST_F(TokenFolderTest, AFolderWithoutTokensIsNoSource) {
  const auto source = CorpusSource::open(folder_.path());
  EXPECT_EQ(source.error().code, Code::kInvalidArgument);
  EXPECT_NE(source.error().message.find("is a folder without tokens; a file of text"),
            std::string::npos)
      << source.error().message;
}

TEST_F(TokenFolderTest, NamesADamagedFile) {
  make(60);
  std::string bytes = read_file(path() + "/tokens-00001.bin").value();
  bytes[7] = static_cast<char>(bytes[7] ^ 1);
  folder_.write("tokens/tokens-00001.bin", bytes);
  const auto folder = open_token_folder(path());
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, Code::kCorrupt);
  EXPECT_NE(folder.error().message.find("tokens-00001.bin"), std::string::npos);
}

TEST_F(TokenFolderTest, AWriterGoesOnFromItsLastSync) {
  make(60);
  const std::string whole = read_file(path() + "/tokens-00001.bin").value();
  const std::string other = folder_ / "other";
  std::filesystem::create_directories(other);
  std::vector<TokenShard> kept;
  {
    TokenShardWriter writer(disk_, {other, 2, 100});
    for (std::int64_t i = 0; i < 30; ++i) ASSERT_TRUE(writer.add(text(i)));
    ASSERT_TRUE(writer.sync());
    kept = writer.shards();
    for (std::int64_t i = 0; i < 30; ++i) ASSERT_TRUE(writer.add(text(7)));  // is lost
    ASSERT_TRUE(writer.sync());
  }
  TokenShardWriter writer(disk_, {other, 2, 100});
  ASSERT_TRUE(writer.resume(kept));
  for (std::int64_t i = 30; i < 60; ++i) ASSERT_TRUE(writer.add(text(i)));
  ASSERT_TRUE(writer.close());
  EXPECT_EQ(read_file(other + "/tokens-00001.bin").value(), whole);
  EXPECT_EQ(writer.shards().size(), 3U);
}

TEST_F(TokenFolderTest, AnotherTokenizerIsRefused) {
  const CorpusSource source = CorpusSource::open(make(60)).value();
  const CharacterCodec other(Characters(U"abcdefgh"));
  EXPECT_EQ(source.tokens(other, {"it", "", 0.1, 4}).error().code, Code::kInvalidArgument);
  const auto own = source.codec("").value();
  EXPECT_EQ(source.tokens(*own, {"it", "", 0.1, 4})->held_out.size(), 24U);
}

}  // namespace
}  // namespace qiao::learn
