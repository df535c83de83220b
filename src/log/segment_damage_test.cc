// SPDX-License-Identifier: Apache-2.0
// What a SegmentLog finds after crashes, torn writes and damage.
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "base/random.h"
#include "log/segment_log.h"
#include "log/testing/small_logs.h"

namespace qiao {
namespace {

using namespace testing;

// -- Crashes: what was acked is there, and every batch is there as a whole or not at all.

struct Crashed {
  std::size_t acked = 0;  // batches
  std::vector<std::vector<std::string>> batches;
};

Crashed write_until_crash(FaultyDisk& disk, std::uint64_t seed, FaultyDisk::Crash how) {
  Rng rng(seed);
  Crashed crashed;
  std::mutex mutex;
  auto log = open_log(disk, small(4'000));
  const std::size_t count = 5 + rng.below(30);
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::string>& batch = crashed.batches.emplace_back();
    const std::size_t records = 1 + rng.below(4);
    for (std::size_t r = 0; r < records; ++r)
      batch.push_back(std::string(rng.below(900), static_cast<char>('a' + i % 26)));
    EXPECT_TRUE(log->append(batch_of(batch), [&](const Status& status) {
      std::lock_guard lock(mutex);
      if (status) ++crashed.acked;
    }));
  }
  while (true) {
    std::lock_guard lock(mutex);
    if (crashed.acked >= count / 2) break;
  }
  {
    std::lock_guard lock(mutex);  // no ack between the crash and our copy of the number
    disk.crash(how);
  }
  log.reset();
  return crashed;
}

void expect_whole_batches(const std::vector<std::string>& texts, const Crashed& crashed) {
  std::size_t at = 0;
  std::size_t whole = 0;
  for (const auto& batch : crashed.batches) {
    if (at == texts.size()) break;
    ASSERT_LE(at + batch.size(), texts.size()) << "a batch is there in part";
    for (const std::string& text : batch) ASSERT_EQ(texts[at++], text);
    ++whole;
  }
  EXPECT_EQ(at, texts.size());
  EXPECT_GE(whole, crashed.acked);
}

class SegmentLogCrash : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(SegmentLogCrash, KeepsWhatWasAckedAndNoHalfBatch) {
  const auto how = static_cast<FaultyDisk::Crash>(GetParam() % 3);
  FaultyDisk disk(GetParam());
  const Crashed crashed = write_until_crash(disk, GetParam(), how);
  const auto log = open_log(disk, small(4'000));
  ASSERT_TRUE(log);
  expect_whole_batches(texts_of(*log), crashed);
  ASSERT_TRUE(append(*log, {"goes on"}));
  EXPECT_EQ(texts_of(*log).back(), "goes on");
}

INSTANTIATE_TEST_SUITE_P(Seeds, SegmentLogCrash, ::testing::Range<std::uint64_t>(0, 60));

// -- Damage

struct WrittenLog {
  std::string bytes;
  std::vector<std::string> texts;
};

WrittenLog small_log(bool clean_end) {
  FaultyDisk disk;
  WrittenLog written;
  {
    const auto log = open_log(disk);
    for (const auto& batch :
         std::vector<std::vector<std::string>>{{"first"}, {"a", "b", ""}, {"the last one"}}) {
      EXPECT_TRUE(append(*log, batch));
      written.texts.insert(written.texts.end(), batch.begin(), batch.end());
    }
    if (!clean_end) disk.crash(FaultyDisk::Crash::kLoseUnsynced);
  }
  written.bytes = disk.bytes(kFirstFile);
  return written;
}

TEST(SegmentLog, AFlippedBitIsNeverReadAsData) {
  for (const bool clean_end : {true, false}) {
    const WrittenLog written = small_log(clean_end);
    for (std::size_t i = 0; i < written.bytes.size() * 8; ++i) {
      FaultyDisk disk;
      std::string bytes = written.bytes;
      bytes[i / 8] = static_cast<char>(bytes[i / 8] ^ (1 << (i % 8)));
      disk.set_bytes(kFirstFile, bytes);
      SegmentLogRecovery recovery;
      const auto log = SegmentLog::open(disk, small(), &recovery);
      if (!log) {
        EXPECT_EQ(log.error().code, Code::kCorrupt);
        EXPECT_NE(log.error().message.find(kFirstFile), std::string::npos);
        EXPECT_EQ(disk.bytes(kFirstFile), bytes) << "a damaged file was changed";
        continue;
      }
      // Only the last frame can pass for a torn write; a clean end makes that one the seal.
      EXPECT_GT(recovery.torn_bytes, 0U) << "flip of bit " << i << " was not seen";
      const std::size_t lost = clean_end ? 0 : 1;
      EXPECT_EQ(texts_of(**log),
                std::vector<std::string>(written.texts.begin(), written.texts.end() - lost));
    }
  }
}

TEST(SegmentLog, ATailTornAtAnyLengthIsCutToWholeBatches) {
  const WrittenLog written = small_log(false);
  for (std::size_t length = 0; length <= written.bytes.size(); ++length) {
    for (const std::size_t zeros : {0, 100}) {
      FaultyDisk disk;
      disk.set_bytes(kFirstFile, written.bytes.substr(0, length) + std::string(zeros, '\0'));
      SegmentLogRecovery recovery;
      const auto log = SegmentLog::open(disk, small(), &recovery);
      if (!log) {  // a header with something behind it is not one whose making was cut short
        EXPECT_TRUE(length < 32 && zeros > 0) << log.error().message;
        continue;
      }
      const std::vector<std::string> texts = texts_of(**log);
      EXPECT_TRUE(texts.empty() || texts.size() == 1 || texts.size() == 4 || texts.size() == 5);
      EXPECT_TRUE(std::equal(texts.begin(), texts.end(), written.texts.begin()));
      EXPECT_EQ(texts.size() == 5, length == written.bytes.size());
      EXPECT_EQ(recovery.torn_file.empty(), recovery.torn_bytes == 0);
      ASSERT_TRUE(append(**log, {"goes on"}));
      EXPECT_EQ(texts_of(**log).size(), texts.size() + 1);
    }
  }
}

TEST(SegmentLog, DamageBeforeSyncedFramesIsNoTornTail) {
  const WrittenLog written = small_log(false);
  FaultyDisk disk;
  std::string bytes = written.bytes;
  const std::size_t place = bytes.find("first");
  bytes[place] = 'F';
  disk.set_bytes(kFirstFile, bytes);
  const auto log = SegmentLog::open(disk, small());
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, Code::kCorrupt);
  EXPECT_NE(log.error().message.find("byte 32"), std::string::npos) << log.error().message;
}

// A message may carry bytes of another log: they are no frames here, so a torn write before them
// is cut, not taken for damage.
TEST(SegmentLog, FramesInsideMessagesAreNotFrames) {
  const std::string foreign = small_log(true).bytes;
  FaultyDisk disk;
  std::string whole;
  {
    const auto log = open_log(disk);
    ASSERT_TRUE(append(*log, {"kept"}));
    ASSERT_TRUE(append(*log, {foreign}));
    disk.crash(FaultyDisk::Crash::kLoseUnsynced);
    whole = disk.bytes(kFirstFile);
  }
  whole[whole.find("kept") + 4] = 'x';  // the head of the frame that holds them
  disk.set_bytes(kFirstFile, whole);
  const auto log = open_log(disk);
  ASSERT_TRUE(log);
  EXPECT_EQ(texts_of(*log), std::vector<std::string>{"kept"});
}

TEST(SegmentLog, AMissingOrForeignFileIsCorrupt) {
  FaultyDisk disk;
  {
    const auto log = open_log(disk, small(1'000));
    for (int i = 0; i < 12; ++i) ASSERT_TRUE(append(*log, {std::string(300, 'x')}));
  }
  const std::vector<std::string> names = *disk.list(kDirectory);
  ASSERT_GT(names.size(), 3U);
  const std::string second = kDirectory + "/" + names[1];
  const std::string bytes = disk.bytes(second);
  ASSERT_TRUE(disk.remove(second));
  EXPECT_EQ(SegmentLog::open(disk, small(1'000)).error().code, Code::kCorrupt);
  disk.set_bytes(second, bytes.substr(0, bytes.size() - 1));  // not the last file: no torn tail
  EXPECT_EQ(SegmentLog::open(disk, small(1'000)).error().code, Code::kCorrupt);
  disk.set_bytes(second, bytes);
  EXPECT_TRUE(SegmentLog::open(disk, small(1'000)));
}

}  // namespace
}  // namespace qiao
