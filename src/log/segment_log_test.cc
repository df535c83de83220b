// SPDX-License-Identifier: Apache-2.0
#include "log/segment_log.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <thread>

#include "base/logging.h"
#include "log/testing/gated_disk.h"
#include "log/testing/small_logs.h"

namespace qiao {
namespace {

using namespace testing;

TEST(SegmentLog, KeepsWhatWasAppendedAcrossReopening) {
  FaultyDisk disk;
  {
    const auto log = open_log(disk);
    EXPECT_EQ(log->durability(), Durability::kFsync);
    ASSERT_TRUE(append(*log, {"one", "two"}));
    ASSERT_TRUE(append(*log, {""}));
    EXPECT_EQ(texts_of(*log), (std::vector<std::string>{"one", "two", ""}));
    ASSERT_TRUE(log->close());
    EXPECT_EQ(append(*log, {"late"}).error().code, Code::kUnavailable);
  }
  SegmentLogRecovery recovery;
  const auto log = open_log(disk, small(), &recovery);
  EXPECT_EQ(recovery.records, 3U);
  EXPECT_EQ(recovery.torn_bytes, 0U);
  EXPECT_EQ(log->bounds().next, 3U);
  EXPECT_EQ(log->bounds().durable, 3U);
  ASSERT_TRUE(append(*log, {"four"}));
  EXPECT_EQ(texts_of(*log, 1), (std::vector<std::string>{"two", "", "four"}));
}

TEST(SegmentLog, WorksOnTheMachinesDisk) {
  SystemDisk disk;
  SegmentLogOptions options = small();
  options.directory = ::testing::TempDir() + "/qiao_segment_log_" + std::to_string(::getpid());
  for (int round = 0; round < 3; ++round) {
    auto log = SegmentLog::open(disk, options);
    ASSERT_TRUE(log) << log.error().message;
    EXPECT_EQ(texts_of(**log).size(), static_cast<std::size_t>(round));
    ASSERT_TRUE(append(**log, {"round"}));
  }
  const auto names = disk.list(options.directory);
  ASSERT_TRUE(names);
  for (const std::string& name : *names) EXPECT_TRUE(disk.remove(options.directory + "/" + name));
  ::rmdir(options.directory.c_str());
}

TEST(SegmentLog, WritesAllWaitingBatchesWithOneSyncAndRunsTheirCallbacksInOrder) {
  FaultyDisk memory;
  GatedDisk disk(memory);
  auto log = SegmentLog::open(disk, small());
  ASSERT_TRUE(log);
  const std::uint64_t before = memory.syncs();
  std::vector<int> order;
  disk.close_gate();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE((*log)->append(batch_of({"text"}), [&order, i](const Status& status) {
      ASSERT_TRUE(status);
      order.push_back(i);
    }));
  }
  // Not durable yet, but readable.
  EXPECT_EQ((*log)->bounds().durable, 0U);
  EXPECT_EQ(texts_of(**log).size(), 50U);
  disk.open_gate();
  ASSERT_TRUE(append(**log, {"last"}));
  ASSERT_EQ(order.size(), 50U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_LE(memory.syncs() - before, 3U);
}

TEST(SegmentLog, RefusesPastItsBoundAndTakesUpAgain) {
  FaultyDisk memory;
  GatedDisk disk(memory);
  SegmentLogOptions options = small();
  options.append_bytes_max = 10'000;
  auto log = SegmentLog::open(disk, options);
  ASSERT_TRUE(log);
  disk.close_gate();
  const std::string text(3'000, 'x');
  std::promise<void> all;
  int done = 0;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE((*log)->append(batch_of({text}), [&](const Status&) {
      if (++done == 3) all.set_value();
    }));
  }
  EXPECT_EQ((*log)->append(batch_of({text}), {}).error().code, Code::kOverloaded);
  EXPECT_EQ((*log)->append(batch_of({std::string(20'000, 'x')}), {}).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ((*log)->bounds().next, 3U);
  disk.open_gate();
  all.get_future().wait();
  EXPECT_TRUE(append(**log, {text}));
}

TEST(SegmentLog, RollsToNewFilesAndReadsAcrossThem) {
  FaultyDisk disk;
  std::vector<std::string> texts;
  {
    const auto log = open_log(disk, small(1'000));
    for (int i = 0; i < 60; ++i) {
      texts.push_back(std::string(static_cast<std::size_t>(i * 7), 'a'));
      ASSERT_TRUE(append(*log, {texts.back()}));
    }
    EXPECT_GT(disk.list(kDirectory)->size(), 5U);
    EXPECT_EQ(texts_of(*log), texts);
  }
  const auto log = open_log(disk, small(1'000));
  EXPECT_EQ(texts_of(*log), texts);
  const auto part = log->read(10, 3, 1 << 20);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->size(), 3U);
  const auto one = log->read(50, 100, 1);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->size(), 1U);
  EXPECT_TRUE(log->read(60, 10, 10)->empty());
}

TEST(SegmentLog, TrimsWholeFilesAndNeverReusesOffsets) {
  FaultyDisk disk;
  std::uint64_t first = 0;
  {
    const auto log = open_log(disk, small(1'000));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(append(*log, {std::string(300, 'x')}));
    ASSERT_TRUE(log->trim(11));
    first = log->bounds().first;
    EXPECT_GT(first, 5U);
    EXPECT_LE(first, 11U);
    EXPECT_EQ(log->read(first - 1, 1, 1).error().code, Code::kNotFound);
    EXPECT_EQ(texts_of(*log, first).size(), 20 - first);
    ASSERT_TRUE(log->trim(1'000));
    EXPECT_EQ(log->bounds().next, 20U);
  }
  const auto log = open_log(disk, small(1'000));
  EXPECT_GE(log->bounds().first, first);
  EXPECT_EQ(log->bounds().next, 20U);
  EXPECT_EQ(*log->append(batch_of({"next"}), {}), 20U);
}

TEST(SegmentLog, WithoutSyncPromisesMemoryOnly) {
  FaultyDisk disk;
  SegmentLogOptions options = small();
  options.sync = false;
  auto log = open_log(disk, options);
  EXPECT_EQ(log->durability(), Durability::kMemory);
  const std::uint64_t before = disk.syncs();
  ASSERT_TRUE(append(*log, {"a"}));
  EXPECT_EQ(disk.syncs(), before);
  ASSERT_TRUE(log->close());
  disk.crash(FaultyDisk::Crash::kLoseUnsynced);
  log = open_log(disk, options);
  EXPECT_EQ(texts_of(*log), std::vector<std::string>{"a"});
}

// -- Failing I/O

TEST(SegmentLog, AFailedWriteOrSyncClosesItForGood) {
  for (std::uint64_t k = 1; k <= 4; ++k) {
    FaultyDisk disk;
    auto log = open_log(disk);
    disk.fail_after(k);
    std::size_t acked = 0;
    Status status;
    while (status) {
      status = append(*log, {"text"});
      if (status) ++acked;
    }
    disk.fail_after(0);  // the disk works again, the log must not
    EXPECT_EQ(append(*log, {"more"}).error(), status.error());
    EXPECT_EQ(log->read(acked, 1, 1).error(), status.error());
    EXPECT_EQ(log->trim(0).error(), status.error());
    EXPECT_EQ(log->close().error(), status.error());
    disk.crash(FaultyDisk::Crash::kTearUnsynced);
    log = open_log(disk);
    EXPECT_GE(texts_of(*log).size(), acked);
    EXPECT_LE(texts_of(*log).size(), acked + 1);
  }
}

TEST(SegmentLog, TellsAllThatWaitWhenTheDiskFails) {
  FaultyDisk memory;
  GatedDisk disk(memory);
  auto log = SegmentLog::open(disk, small());
  ASSERT_TRUE(log);
  disk.close_gate();
  memory.fail_after(2);  // the first batch is written; its sync fails when all others wait
  std::atomic<int> failed{0};
  for (int i = 0; i < 20; ++i) {
    static_cast<void>((*log)->append(batch_of({"text"}), [&](const Status& status) {
      if (!status) ++failed;
    }));
  }
  disk.open_gate();
  EXPECT_FALSE((*log)->close());
  EXPECT_EQ(failed, 20);
}

// A first start that ends before the file's name is synced: the second one goes on with the file,
// and must bring its name to disk before it acks.
TEST(SegmentLog, AFileWhoseMakingWasCutShortKeepsWhatIsAckedLater) {
  FaultyDisk disk;
  disk.fail_after(3);  // header, sync of the file, sync of the directory
  EXPECT_FALSE(SegmentLog::open(disk, small()));
  disk.end_process();
  disk.fail_after(0);
  auto log = open_log(disk);
  ASSERT_TRUE(append(*log, {"kept"}));
  disk.crash(FaultyDisk::Crash::kLoseUnsynced);
  log.reset();
  EXPECT_EQ(texts_of(*open_log(disk)), (std::vector<std::string>{"kept"}));
}

TEST(SegmentLog, AFullDiskIsUnavailableAndSaysSo) {
  FaultyDisk disk;
  auto log = open_log(disk);
  disk.set_capacity(2'000);
  Status status;
  for (int i = 0; i < 10 && status; ++i) status = append(*log, {std::string(500, 'x')});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kUnavailable);
  EXPECT_NE(status.error().message.find("space"), std::string::npos);
}

// -- Snapshots

TEST(SegmentLog, KeepsTheNewestSnapshotsAndFallsBack) {
  set_log_level(LogLevel::kError);  // a warning for every damaged one below
  FaultyDisk disk;
  const auto log = open_log(disk);
  EXPECT_FALSE(log->load_snapshot()->has_value());
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(append(*log, {"text"}));
    const auto next = static_cast<std::uint64_t>(i + 1);
    ASSERT_TRUE(log->save_snapshot({next, "state " + std::to_string(next)}));
  }
  EXPECT_EQ(log->save_snapshot({9, "too early"}).error().code, Code::kPrecondition);
  EXPECT_EQ((*log->load_snapshot())->bytes, "state 4");
  const std::string newest = "log/00000000000000000004.snap";
  const std::string older = "log/00000000000000000003.snap";
  EXPECT_FALSE(disk.exists("log/00000000000000000002.snap"));
  const std::string whole = disk.bytes(newest);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x10);
    disk.set_bytes(newest, bytes);
    const auto loaded = log->load_snapshot();
    ASSERT_TRUE(loaded && loaded->has_value());
    EXPECT_EQ((*loaded)->next_offset, 3U);
    EXPECT_EQ((*loaded)->bytes, "state 3");
  }
  disk.set_bytes(older, "");
  EXPECT_EQ(log->load_snapshot().error().code, Code::kCorrupt);
  set_log_level(LogLevel::kInfo);
}

TEST(SegmentLog, ReadsFromOtherThreadsWhileWriting) {
  FaultyDisk disk;
  const auto log = open_log(disk, small(8'000));
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    std::uint64_t at = 0;
    while (!stop || at < log->bounds().next) {
      const auto entries = log->read(at, 16, 4'000);
      ASSERT_TRUE(entries) << entries.error().message;
      for (const LogEntry& entry : *entries) {
        ASSERT_EQ(entry.offset, at);
        ASSERT_EQ(entry.record.bytes, std::to_string(at++));
      }
    }
  });
  for (int i = 0; i < 3'000; ++i)
    ASSERT_TRUE(log->append({{static_cast<std::uint8_t>(1), std::to_string(i)}}, {}));
  ASSERT_TRUE(append(*log, {"3000"}));
  stop = true;
  reader.join();
}

}  // namespace
}  // namespace qiao
