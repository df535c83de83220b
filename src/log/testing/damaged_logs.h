// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "log/repair.h"
#include "log/testing/small_logs.h"

// Logs whose every file is known, to be damaged and judged.
namespace qiao::testing {

using Files = std::map<std::string, std::string>;  // path → bytes

inline Files files_of(FaultyDisk& disk, const std::string& directory = kDirectory) {
  Files files;
  const auto names = disk.list(directory);
  EXPECT_TRUE(names);
  for (const std::string& name : *names)
    files[directory + "/" + name] = disk.bytes(directory + "/" + name);
  return files;
}

inline void put_files(FaultyDisk& disk, const Files& files) {
  for (const auto& [path, bytes] : files) disk.set_bytes(path, bytes);
}

struct KnownLog {
  Files files;
  std::vector<std::string> texts;  // by offset
  std::string last_file;
};

struct KnownLogShape {
  std::uint64_t seed = 1;
  std::uint64_t segment_bytes = 400;
  std::size_t batches = 8;
  std::size_t text_bytes_max = 90;
  bool clean_end = true;
  bool snapshots = false;
};

inline KnownLog make_log(const KnownLogShape& shape) {
  FaultyDisk disk;
  KnownLog known;
  Rng rng(shape.seed);
  {
    const auto log = open_log(disk, small(shape.segment_bytes));
    for (std::size_t i = 0; i < shape.batches; ++i) {
      std::vector<std::string> batch;
      for (std::uint64_t left = 1 + rng.below(4); left > 0; --left) {
        batch.push_back(std::to_string(known.texts.size() + batch.size()) + ":" +
                        std::string(rng.below(shape.text_bytes_max), 'x'));
      }
      EXPECT_TRUE(append(*log, batch));
      known.texts.insert(known.texts.end(), batch.begin(), batch.end());
      if (!shape.snapshots) continue;
      EXPECT_TRUE(log->save_snapshot({known.texts.size(), "state " + std::to_string(i)}));
    }
    if (!shape.clean_end) disk.crash(FaultyDisk::Crash::kLoseUnsynced);
  }
  known.files = files_of(disk);
  for (const auto& [path, bytes] : known.files) {
    if (path.ends_with(".seg")) known.last_file = path;
  }
  return known;
}

inline const std::string kFiller = "LOST";  // its kind is 4, as batch_of() would have it

inline LogRepairOptions repair_options() {
  LogRepairOptions options;
  options.filler = {static_cast<std::uint8_t>(kFiller.size()), kFiller};
  options.suffix = "now";
  return options;
}
inline const std::string kOriginal = kDirectory + ".before-repair-now";

// Every offset holds what was written there or, where the repair says so, the filler.
inline void expect_salvaged(FaultyDisk& disk, const KnownLog& known, const LogRepair& repair) {
  const auto log = open_log(disk);
  ASSERT_TRUE(log);
  ASSERT_LE(log->bounds().next, known.texts.size());
  std::map<std::uint64_t, std::uint64_t> lost;  // first → end
  std::uint64_t count = 0;
  for (const OffsetRange& range : repair.lost) {
    lost[range.first] = range.first + range.count;
    count += range.count;
  }
  const std::vector<std::string> texts = texts_of(*log);
  for (std::uint64_t offset = 0; offset < texts.size(); ++offset) {
    const auto range = lost.upper_bound(offset);
    const bool is_lost = range != lost.begin() && std::prev(range)->second > offset;
    EXPECT_EQ(texts[offset], is_lost ? kFiller : known.texts[offset]) << "offset " << offset;
  }
  EXPECT_EQ(repair.kept_records + count, texts.size());
  ASSERT_TRUE(append(*log, {"goes on"}));
}

}  // namespace qiao::testing
