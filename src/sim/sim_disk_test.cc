// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_disk.h"

#include <gtest/gtest.h>

namespace qiao::sim {
namespace {

// A plan whose disk fails in this way alone.
FaultPlan plan_with_only_failing_syncs() {
  for (std::uint64_t seed = 1;; ++seed) {
    FaultPlan plan(seed);
    if (plan.has(Fault::kDiskSyncError) && !plan.has(Fault::kDiskWriteError) &&
        !plan.has(Fault::kCrashInWrite))
      return plan;
  }
}

class SimDiskTest : public ::testing::Test {
 protected:
  SimDiskTest() { faults_.end(); }
  std::unique_ptr<DiskFile> make(const std::string& path) {
    auto file = disk_.open(path, OpenMode::kCreateNew);
    EXPECT_TRUE(file);
    return std::move(*file);
  }
  std::string read(const std::string& path) {
    const auto file = disk_.open(path, OpenMode::kRead);
    return file ? (*file)->read_at(0, 1'000).value() : "no file";
  }
  FaultPlan faults_{1};
  SimDisk disk_{faults_, 1};
};

TEST_F(SimDiskTest, APowerCutTakesWhatWasNotSynced) {
  const auto file = make("d/a");
  ASSERT_TRUE(file->write_at(0, "kept"));
  ASSERT_TRUE(file->sync_data());
  ASSERT_TRUE(disk_.sync_directory("d"));
  ASSERT_TRUE(file->write_at(4, " lost"));
  EXPECT_EQ(read("d/a"), "kept lost");
  disk_.lose_power(false);
  EXPECT_EQ(read("d/a"), "kept");
  EXPECT_FALSE(file->write_at(0, "x"));  // its process is gone
}

TEST_F(SimDiskTest, ANameIsSureWhenItsDirectoryWasSynced) {
  const auto file = make("d/a");
  ASSERT_TRUE(file->write_at(0, "kept"));
  ASSERT_TRUE(file->sync_data());
  disk_.lose_power(false);
  EXPECT_EQ(read("d/a"), "no file");
}

TEST_F(SimDiskTest, TheEndOfAProcessLosesNothingButItsFiles) {
  const auto file = make("d/a");
  ASSERT_TRUE(file->write_at(0, "there"));
  disk_.end_process();
  EXPECT_EQ(read("d/a"), "there");
  EXPECT_FALSE(file->write_at(0, "x"));
}

TEST_F(SimDiskTest, AFullDiskSaysSo) {
  const auto file = make("d/a");
  disk_.set_full(true);
  EXPECT_EQ(file->write_at(0, "x").error().code, Code::kUnavailable);
  disk_.set_full(false);
  EXPECT_TRUE(file->write_at(0, "x"));
}

// As on Linux: the bytes are read back as if they were there, and a second sync has nothing to do.
TEST(SimDisk, AFailedSyncForgetsWhatWasDirty) {
  FaultPlan faults = plan_with_only_failing_syncs();
  SimDisk disk(faults, 1);
  const auto file = disk.open("d/a", OpenMode::kCreateNew);
  const std::string text(1 << 16, 'x');
  int last = 'a';
  Status synced;
  while (synced) {
    ++last;
    ASSERT_TRUE((*file)->write_at(0, std::string(text.size(), static_cast<char>(last % 64 + 32))));
    synced = (*file)->sync_data();
  }
  const std::string wanted(text.size(), static_cast<char>(last % 64 + 32));
  faults.end();
  ASSERT_TRUE((*file)->sync_data());
  ASSERT_TRUE(disk.sync_directory("d"));
  EXPECT_EQ((*file)->read_at(0, text.size()).value(), wanted);
  disk.lose_power(false);
  const auto after = disk.open("d/a", OpenMode::kRead);
  ASSERT_TRUE(after);
  EXPECT_NE((*after)->read_at(0, text.size()).value(), wanted);
}

TEST(FaultPlan, TheSameSeedStrikesTheSameWayAndEndIsTheEnd) {
  FaultPlan one(5);
  FaultPlan two(5);
  for (int i = 0; i < 1'000; ++i) {
    const auto fault = static_cast<Fault>(i % static_cast<int>(kFaultKinds));
    EXPECT_EQ(one.strikes(fault), two.strikes(fault));
  }
  EXPECT_EQ(one.counts(), two.counts());
  EXPECT_FALSE(one.counts().empty());
  one.end();
  for (int i = 0; i < 1'000; ++i)
    EXPECT_FALSE(one.strikes(static_cast<Fault>(i % static_cast<int>(kFaultKinds))));
}

}  // namespace
}  // namespace qiao::sim
