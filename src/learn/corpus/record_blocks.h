// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "learn/corpus/byte_stream.h"
#include "learn/corpus/text_files.h"

namespace qiao::learn {

struct RecordRules {
  std::string field = "text";  // of JSON rows, or the column of a CSV file
  std::string separator;       // between texts of a plain file; "": the file is one
};

inline constexpr std::size_t kBlockBytes = 256 << 10;       // a block is closed behind so many
inline constexpr std::size_t kRecordBytesMax = 16 << 20;    // of a JSON or CSV row
inline constexpr std::size_t kPlainTextBytesMax = 1 << 20;  // a longer text is cut at a line's end

// Whole records of one file, not yet looked into.
struct RecordBlock {
  std::size_t file = 0;        // among the files
  std::size_t first_line = 1;  // of `bytes`
  std::size_t column = 0;      // of a CSV file, as is
  char delimiter = ',';
  std::string bytes;
  bool goes_on = false;  // begins within a plain text that was too long
};

// One record looked into.
struct RawText {
  std::string text;
  std::size_t line = 0;  // where it begins, from 1
  bool readable = true;  // else `text` is empty
  bool cut = false;      // goes on from the block before
};
// The texts of a block. Pure, thread-safe.
std::vector<RawText> parse_block(const RecordBlock& block, TextFormat format,
                                 const RecordRules& rules);

// The blocks of one file in order. One thread at a time.
class BlockReader {
 public:
  // `index` is the file's place among the files. A CSV file without the column is
  // invalid_argument.
  static Result<std::unique_ptr<BlockReader>> open(const TextFile& file, std::size_t index,
                                                   const RecordRules& rules);
  // Nothing at the end.
  Result<std::optional<RecordBlock>> next();

 private:
  BlockReader(TextFile file, std::size_t index, RecordRules rules,
              std::unique_ptr<ByteStream> bytes);
  Status read_header();
  Status fill(std::size_t bytes);
  [[nodiscard]] std::size_t whole_records() const;
  [[nodiscard]] std::size_t record_bytes_max() const;

  TextFile file_;
  std::size_t index_;
  RecordRules rules_;
  std::unique_ptr<ByteStream> bytes_;
  std::string waiting_;
  bool ended_ = false;
  bool cut_ = false;  // the last block ends within a plain text
  std::size_t line_ = 1;
  std::size_t column_ = 0;
};

// The blocks of many files in an order that depends on the files alone, read by several threads at
// once: the files are dealt to kLanesMax lanes, and block k is the next one of lane k modulo lanes.
// Thread-safe.
class BlockLanes {
 public:
  static constexpr std::size_t kLanesMax = 8;

  // `files` must outlive it.
  BlockLanes(const std::vector<TextFile>& files, RecordRules rules);

  // False when every lane is at its end.
  [[nodiscard]] bool more() const;
  // Block `ticket`; nothing when its lane is at its end. Each ticket is asked for once, and all
  // before it are asked for, too: waits for those of its lane.
  Result<std::optional<RecordBlock>> block(std::uint64_t ticket);
  // Passes over the blocks before `ticket`. Call before any block().
  Status skip(std::uint64_t ticket);

 private:
  struct Lane {
    std::mutex mutex;
    std::condition_variable turned;
    std::uint64_t turn = 0;  // blocks given
    std::size_t file = 0;    // the next one to open
    std::unique_ptr<BlockReader> reader;
    bool ended = false;
  };
  Result<std::optional<RecordBlock>> advance(Lane& lane);

  const std::vector<TextFile>& files_;
  RecordRules rules_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::atomic<std::size_t> running_;
};

}  // namespace qiao::learn
