// SPDX-License-Identifier: Apache-2.0
#include "learn/corpus/text_shards.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/digest.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kSpoolWaitingBytes = 64 << 10;
constexpr std::size_t kShardWaitingBytes = 1 << 20;
constexpr std::size_t kShardsMax = 65'536;
constexpr std::size_t kLengthBytes = sizeof(std::uint32_t);

Result<std::unique_ptr<DiskFile>> open_or_create(Disk& disk, const std::string& path) {
  return disk.open(path, disk.exists(path) ? OpenMode::kReadWrite : OpenMode::kCreateNew);
}

std::size_t length_at(std::string_view bytes, std::size_t at) {
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data() + at, kLengthBytes);
  return length;
}

std::string shard_name(std::size_t number) {
  char name[64];
  std::snprintf(name, sizeof name, "texts-%05zu.jsonl", number);
  return name;
}

}  // namespace

TextSpool::TextSpool(Disk& disk, std::string folder, std::size_t files)
    : disk_(disk), folder_(std::move(folder)), files_(files), waiting_(files), sizes_(files) {}

std::string TextSpool::path(std::size_t file) const {
  return folder_ + "/spool-" + std::to_string(file);
}

Status TextSpool::open(const std::vector<std::uint64_t>& sizes) {
  sizes_ = sizes;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    QIAO_ASSIGN(files_[i], open_or_create(disk_, path(i)));
    QIAO_ASSIGN(const std::uint64_t size, files_[i]->size());
    if (size < sizes_[i]) return Error{Code::kCorrupt, path(i) + " is cut: start anew"};
    QIAO_TRY(files_[i]->truncate(sizes_[i]));
  }
  return {};
}

Status TextSpool::add(std::size_t file, std::string_view text) {
  const auto length = static_cast<std::uint32_t>(text.size());
  char bytes[kLengthBytes];
  std::memcpy(bytes, &length, sizeof bytes);
  waiting_[file].append(bytes, sizeof bytes).append(text);
  sizes_[file] += kLengthBytes + text.size();
  return waiting_[file].size() < kSpoolWaitingBytes ? Status() : flush(file);
}

Status TextSpool::flush(std::size_t file) {
  if (waiting_[file].empty()) return {};
  QIAO_TRY(files_[file]->write_at(sizes_[file] - waiting_[file].size(), waiting_[file]));
  waiting_[file].clear();
  return {};
}

Status TextSpool::sync() {
  for (std::size_t i = 0; i < files_.size(); ++i) {
    QIAO_TRY(flush(i));
    QIAO_TRY(files_[i]->sync_data());
  }
  return {};
}

Result<std::vector<std::string>> TextSpool::read(std::size_t file, std::uint64_t& offset,
                                                 std::size_t bytes_max) {
  std::vector<std::string> texts;
  std::size_t bytes = 0;
  while (offset < sizes_[file] && bytes < bytes_max) {
    constexpr std::size_t kReadBytes = 4 << 20;
    QIAO_ASSIGN(std::string some, files_[file]->read_at(offset, kReadBytes));
    if (some.size() >= kLengthBytes && length_at(some, 0) + kLengthBytes > some.size()) {
      QIAO_ASSIGN(some, files_[file]->read_at(offset, length_at(some, 0) + kLengthBytes));
    }
    std::size_t at = 0;
    while (at + kLengthBytes <= some.size()) {
      const std::size_t length = length_at(some, at);
      if (at + kLengthBytes + length > some.size()) break;
      texts.emplace_back(some, at + kLengthBytes, length);
      at += kLengthBytes + length;
    }
    if (at == 0) return Error{Code::kCorrupt, path(file) + " is damaged: start anew"};
    offset += at;
    bytes += at;
  }
  return texts;
}

Status TextSpool::remove() {
  files_.clear();
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    if (disk_.exists(path(i))) QIAO_TRY(disk_.remove(path(i)));
  }
  return {};
}

Json to_json(const TextShard& shard) {
  return {{"file", shard.file},
          {"texts", shard.texts},
          {"bytes", shard.bytes},
          {"sha256", shard.sha256}};
}

Result<TextShard> text_shard_of(const Json& json) {
  const auto texts = json_integer(json, "texts");
  const auto bytes = json_integer(json, "bytes");
  if (!texts || !bytes) return Error{Code::kCorrupt, "a saved file has no size: start anew"};
  return TextShard{json_string(json, "file").value_or(""), static_cast<std::uint64_t>(*texts),
                   static_cast<std::uint64_t>(*bytes), json_string(json, "sha256").value_or("")};
}

Status TextShardWriter::open_file(const std::string& name) {
  QIAO_ASSIGN(file_, open_or_create(disk_, folder_ + "/" + name));
  return file_->truncate(shards_.back().bytes);
}

Status TextShardWriter::resume(std::vector<TextShard> shards) {
  shards_ = std::move(shards);
  const std::string after = folder_ + "/" + shard_name(shards_.size());
  if (disk_.exists(after)) QIAO_TRY(disk_.remove(after));
  const bool open = !shards_.empty() && shards_.back().sha256.empty();
  return open ? open_file(shards_.back().file) : Status();
}

Status TextShardWriter::add(std::string_view text) {
  if (file_ == nullptr) {
    if (shards_.size() == kShardsMax) return invalid_argument("there would be too many files");
    shards_.push_back({shard_name(shards_.size()), 0, 0, ""});
    QIAO_TRY(open_file(shards_.back().file));
  }
  const std::string row = dump_json(Json{{"text", text}}) + "\n";
  waiting_ += row;
  shards_.back().bytes += row.size();
  ++shards_.back().texts;
  if (shards_.back().bytes >= kShardBytes) return close();
  return waiting_.size() < kShardWaitingBytes ? Status() : flush();
}

Status TextShardWriter::flush() {
  if (file_ == nullptr || waiting_.empty()) return {};
  QIAO_TRY(file_->write_at(shards_.back().bytes - waiting_.size(), waiting_));
  waiting_.clear();
  return {};
}

Status TextShardWriter::sync() {
  QIAO_TRY(flush());
  return file_ == nullptr ? Status() : file_->sync_data();
}

Status TextShardWriter::close() {
  if (file_ == nullptr) return {};
  QIAO_TRY(sync());
  file_.reset();
  QIAO_ASSIGN(shards_.back().sha256, sha256_file_hex(folder_ + "/" + shards_.back().file));
  return {};
}

}  // namespace qiao::learn
