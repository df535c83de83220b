// SPDX-License-Identifier: Apache-2.0
#include "learn/data/token_folder.h"

#include <cstdio>
#include <cstring>
#include <utility>

#include "base/digest.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kIndexBytesMax = 64 << 20;
constexpr std::size_t kWaitingBytesMax = 1 << 20;
constexpr std::size_t kTextPlaceBytes = sizeof(std::uint64_t);

template <class Number>
void append_bytes(std::string& out, Number value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

std::string numbered(const char* what, std::size_t number) {
  char name[64];
  std::snprintf(name, sizeof name, "%s-%05zu.bin", what, number);
  return name;
}

Error damaged(const std::string& what) {
  return {Code::kCorrupt, what + ": make the folder again with `qiao train corpus`"};
}

Status check_sum(const std::string& path, const std::string& expected) {
  QIAO_ASSIGN(const std::string sum, sha256_file_hex(path));
  if (sum == expected) return {};
  return damaged(path + " is not what was written: its SHA-256 differs");
}

Result<std::vector<TokenFile>> check_files(const std::string& folder, const Json& index) {
  const auto shards = index.find("shards");
  if (shards == index.end() || !shards->is_array() || shards->size() > kTokenFilesMax) {
    return damaged(folder + "/" + kTokenIndexName + " names no files");
  }
  std::vector<TokenFile> files;
  for (const Json& one : *shards) {
    QIAO_ASSIGN(const TokenShard shard, token_shard_of(one));
    const std::string path = folder + "/" + shard.tokens_file;
    QIAO_TRY(check_sum(path, shard.tokens_sha256));
    QIAO_TRY(check_sum(folder + "/" + shard.texts_file, shard.texts_sha256));
    files.push_back({path, shard.tokens});
  }
  return files;
}

}  // namespace

Json to_json(const TokenShard& shard) {
  return {{"tokens_file", shard.tokens_file},
          {"tokens", shard.tokens},
          {"tokens_sha256", shard.tokens_sha256},
          {"texts_file", shard.texts_file},
          {"texts", shard.texts},
          {"texts_sha256", shard.texts_sha256}};
}

Result<TokenShard> token_shard_of(const Json& json) {
  TokenShard shard;
  shard.tokens_file = json_string(json, "tokens_file").value_or("");
  shard.texts_file = json_string(json, "texts_file").value_or("");
  shard.tokens = static_cast<std::uint64_t>(json_integer(json, "tokens").value_or(-1));
  shard.texts = static_cast<std::uint64_t>(json_integer(json, "texts").value_or(-1));
  shard.tokens_sha256 = json_string(json, "tokens_sha256").value_or("");
  shard.texts_sha256 = json_string(json, "texts_sha256").value_or("");
  const auto plain = [](const std::string& name) {
    return !name.empty() && name.find('/') == std::string::npos;
  };
  constexpr std::uint64_t kMost = std::uint64_t{1} << 48;
  if (plain(shard.tokens_file) && plain(shard.texts_file) && shard.tokens < kMost &&
      shard.texts < kMost) {
    return shard;
  }
  return damaged("a row of the index says nothing sensible");
}

std::string fingerprint(const TextCodec& codec) {
  std::string all = std::to_string(codec.size()) + " " + std::to_string(codec.end());
  for (std::int64_t id = 0; id < codec.size(); ++id) {
    const std::string piece = codec.decode(id);
    all += "\n" + std::to_string(piece.size()) + " " + piece;
  }
  return sha256_hex(all);
}

bool is_token_folder(const std::string& path) {
  SystemDisk disk;
  return disk.exists(path + "/" + kTokenIndexName);
}

Result<TokenFolder> open_token_folder(const std::string& folder) {
  const std::string path = folder + "/" + kTokenIndexName;
  QIAO_ASSIGN(const std::string text, read_file(path, kIndexBytesMax));
  auto index = parse_json(text);
  if (!index) return std::move(index.error()).with(path);
  if (json_string(*index, "kind").value_or("") != "tokens") {
    return invalid_argument(folder +
                            " holds texts, not tokens: give `qiao train corpus` a "
                            "--tokenizer");
  }
  QIAO_ASSIGN(auto codec, load_text_codec(folder + "/" + kTokenizerFolder));
  if (fingerprint(*codec) != json_string(*index, "vocabulary_sha256").value_or("")) {
    return damaged(folder + ": the tokenizer is not the one that made the tokens");
  }
  QIAO_ASSIGN(const auto files, check_files(folder, *index));
  QIAO_ASSIGN(TokenRow tokens, TokenRow::map(files, token_width(codec->size())));
  return TokenFolder{std::move(tokens), sha256_hex(text), std::move(codec), std::move(*index)};
}

Status TokenShardWriter::resume(std::vector<TokenShard> shards) {
  shards_ = std::move(shards);
  open_ = !shards_.empty() && shards_.back().tokens_sha256.empty();
  const std::string after = options_.folder + "/";
  for (const char* what : {"tokens", "texts"}) {  // a file that was begun after the last sync
    const std::string path = after + numbered(what, shards_.size());
    if (disk_.exists(path)) QIAO_TRY(disk_.remove(path));
  }
  return open_ ? open_files() : Status();
}

Status TokenShardWriter::open_files() {
  const TokenShard& shard = shards_.back();
  const auto open = [&](const std::string& name) {
    const std::string path = options_.folder + "/" + name;
    return disk_.open(path, disk_.exists(path) ? OpenMode::kReadWrite : OpenMode::kCreateNew);
  };
  QIAO_ASSIGN(tokens_, open(shard.tokens_file));
  QIAO_ASSIGN(texts_, open(shard.texts_file));
  QIAO_TRY(tokens_->truncate(shard.tokens * options_.width));
  return texts_->truncate(shard.texts * kTextPlaceBytes);
}

Status TokenShardWriter::begin_shard() {
  if (shards_.size() == kTokenFilesMax) {
    return invalid_argument("there would be more than 65,536 token files: raise --shard-tokens");
  }
  TokenShard shard;
  shard.tokens_file = numbered("tokens", shards_.size());
  shard.texts_file = numbered("texts", shards_.size());
  shards_.push_back(std::move(shard));
  open_ = true;
  return open_files();
}

Status TokenShardWriter::add(const std::vector<std::int64_t>& tokens) {
  if (!open_) QIAO_TRY(begin_shard());
  append_bytes(waiting_texts_, shards_.back().tokens);
  for (const std::int64_t token : tokens) {
    if (options_.width == sizeof(std::uint16_t)) {
      append_bytes(waiting_tokens_, static_cast<std::uint16_t>(token));
    } else {
      append_bytes(waiting_tokens_, static_cast<std::uint32_t>(token));
    }
  }
  shards_.back().tokens += tokens.size();
  ++shards_.back().texts;
  if (shards_.back().tokens >= options_.shard_tokens) return close_shard();
  return waiting_tokens_.size() + waiting_texts_.size() > kWaitingBytesMax ? flush() : Status();
}

Status TokenShardWriter::flush() {
  if (!open_) return {};
  const TokenShard& shard = shards_.back();
  QIAO_TRY(
      tokens_->write_at(shard.tokens * options_.width - waiting_tokens_.size(), waiting_tokens_));
  QIAO_TRY(texts_->write_at(shard.texts * kTextPlaceBytes - waiting_texts_.size(), waiting_texts_));
  waiting_tokens_.clear();
  waiting_texts_.clear();
  return {};
}

Status TokenShardWriter::sync() {
  if (!open_) return {};
  QIAO_TRY(flush());
  QIAO_TRY(tokens_->sync_data());
  return texts_->sync_data();
}

Status TokenShardWriter::close_shard() {
  QIAO_TRY(sync());
  open_ = false;
  tokens_.reset();
  texts_.reset();
  TokenShard& shard = shards_.back();
  QIAO_ASSIGN(shard.tokens_sha256, sha256_file_hex(options_.folder + "/" + shard.tokens_file));
  QIAO_ASSIGN(shard.texts_sha256, sha256_file_hex(options_.folder + "/" + shard.texts_file));
  return {};
}

Status TokenShardWriter::close() {
  return open_ ? close_shard() : Status();
}

}  // namespace qiao::learn
