// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/json.h"
#include "learn/data/token_row.h"
#include "learn/tokenizers/text_codec.h"

namespace qiao::learn {

// A folder of token files, which `train corpus` makes:
//   index.json         what is in it: the files in order, each with its tokens, texts and SHA-256
//   tokens-00000.bin   tokens as TokenFile; the codec's end of a text stands behind each text
//   texts-00000.bin    where each text begins in its token file: 8 bytes each, little-endian
//   tokenizer/         the codec, as load_text_codec() reads it
inline constexpr const char* kTokenIndexName = "index.json";
inline constexpr const char* kTokenizerFolder = "tokenizer";

struct TokenShard {
  std::string tokens_file;  // a name in the folder
  std::string texts_file;
  std::uint64_t tokens = 0;
  std::uint64_t texts = 0;
  std::string tokens_sha256;
  std::string texts_sha256;
};
Json to_json(const TokenShard& shard);
Result<TokenShard> token_shard_of(const Json& json);

// Two codecs with the same print make the same tokens of the same vocabulary: SHA-256 over every
// token's bytes and the end of a text.
std::string fingerprint(const TextCodec& codec);

bool is_token_folder(const std::string& path);

// A folder that was read.
struct TokenFolder {
  TokenRow tokens;
  std::string sha256;  // of the index, and so of everything
  std::shared_ptr<const TextCodec> codec;
  Json index;
};
// Reads every file once and compares sums: a changed or cut one is `corrupt` and named.
Result<TokenFolder> open_token_folder(const std::string& folder);

// Writes the token files of a folder, one after another. One thread at a time. `disk` must outlive
// it. What was written is on disk after sync() and close().
class TokenShardWriter {
 public:
  struct Options {
    std::string folder;
    std::size_t width = 2;                                // bytes of a token
    std::uint64_t shard_tokens = std::uint64_t{1} << 26;  // a file that has as many is closed
  };
  TokenShardWriter(Disk& disk, Options options) : disk_(disk), options_(std::move(options)) {}

  // Takes up what an earlier writer left: `shards` as it told, the last one perhaps open; what it
  // wrote afterwards is cut off.
  Status resume(std::vector<TokenShard> shards);
  // Requires: tokens fit the width.
  Status add(const std::vector<std::int64_t>& tokens);
  // Writes through what waits; shards() can be resumed from then on.
  Status sync();
  // sync(), and the sums of the last file.
  Status close();
  [[nodiscard]] const std::vector<TokenShard>& shards() const { return shards_; }

 private:
  Status begin_shard();
  Status open_files();
  Status flush();
  Status close_shard();

  Disk& disk_;
  Options options_;
  std::vector<TokenShard> shards_;
  bool open_ = false;  // the last of them
  std::unique_ptr<DiskFile> tokens_;
  std::unique_ptr<DiskFile> texts_;
  std::string waiting_tokens_;
  std::string waiting_texts_;
};

// The bytes of a token for a vocabulary of `size`.
constexpr std::size_t token_width(std::int64_t size) {
  return size <= 65'536 ? 2 : 4;
}

}  // namespace qiao::learn
