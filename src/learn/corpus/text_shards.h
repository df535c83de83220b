// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/json.h"

namespace qiao::learn {

// Texts dealt to files, each a 32-bit length and the bytes: so many files that one of them can be
// shuffled in memory. One thread at a time. `disk` must outlive it.
class TextSpool {
 public:
  static constexpr std::size_t kFilesMax = 256;

  // Requires: files <= kFilesMax.
  TextSpool(Disk& disk, std::string folder, std::size_t files);

  // Opens the files, cut to `sizes` (one for each; all 0 for new ones).
  Status open(const std::vector<std::uint64_t>& sizes);
  Status add(std::size_t file, std::string_view text);
  // Writes through; sizes() can be opened from then on.
  Status sync();
  [[nodiscard]] const std::vector<std::uint64_t>& sizes() const { return sizes_; }
  // Whole texts from `offset` on, about `bytes_max` of them; moves `offset` behind them; none at
  // the end.
  Result<std::vector<std::string>> read(std::size_t file, std::uint64_t& offset,
                                        std::size_t bytes_max);
  Status remove();

 private:
  [[nodiscard]] std::string path(std::size_t file) const;
  Status flush(std::size_t file);

  Disk& disk_;
  std::string folder_;
  std::vector<std::unique_ptr<DiskFile>> files_;
  std::vector<std::string> waiting_;
  std::vector<std::uint64_t> sizes_;  // with what waits
};

struct TextShard {
  std::string file;  // a name in the folder
  std::uint64_t texts = 0;
  std::uint64_t bytes = 0;
  std::string sha256;
};
Json to_json(const TextShard& shard);
Result<TextShard> text_shard_of(const Json& json);

// Writes texts-00000.jsonl … with rows {"text": …}. As TokenShardWriter.
class TextShardWriter {
 public:
  static constexpr std::uint64_t kShardBytes = std::uint64_t{256} << 20;  // then it is closed

  TextShardWriter(Disk& disk, std::string folder) : disk_(disk), folder_(std::move(folder)) {}

  Status resume(std::vector<TextShard> shards);
  Status add(std::string_view text);
  Status sync();
  Status close();
  [[nodiscard]] const std::vector<TextShard>& shards() const { return shards_; }

 private:
  Status open_file(const std::string& name);
  Status flush();

  Disk& disk_;
  std::string folder_;
  std::vector<TextShard> shards_;
  std::unique_ptr<DiskFile> file_;  // of the last one, while it is open
  std::string waiting_;
};

}  // namespace qiao::learn
