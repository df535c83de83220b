// SPDX-License-Identifier: Apache-2.0
// The k-th call to the disk fails, for every k, once and for ever: whatever the log was doing, it
// says so, nothing that was acked is lost, and the next start finds a whole log.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/logging.h"
#include "log/segment_log.h"
#include "log/testing/small_logs.h"
#include "log/verify.h"

namespace qiao {
namespace {

using namespace testing;
using Fault = FaultyDisk::Fault;

constexpr std::uint64_t kSegmentBytes = 300;
constexpr std::uint64_t kCallsMax = 2'000;

// Everything a log does in its life, as far as the disk lets it.
class Life {
 public:
  explicit Life(FaultyDisk& disk) : disk_(disk) {}

  Status live() {
    QIAO_ASSIGN(log_, SegmentLog::open(disk_, small(kSegmentBytes)));
    for (int i = 0; i < 4; ++i) QIAO_TRY(publish());
    QIAO_TRY(log_->save_snapshot({acked_.size(), "state"}));
    for (int i = 0; i < 4; ++i) QIAO_TRY(publish());
    QIAO_TRY(log_->save_snapshot({acked_.size(), "state"}));
    QIAO_TRY(log_->trim(acked_.size() / 2));
    QIAO_TRY(log_->load_snapshot().map([](const auto&) {}));
    QIAO_TRY(log_->read(log_->bounds().first, 100, 1 << 20).map([](const auto&) {}));
    return log_->close();
  }
  void die() { log_.reset(); }
  [[nodiscard]] const std::vector<std::string>& acked() const { return acked_; }

 private:
  Status publish() {
    const std::string name = std::to_string(acked_.size());
    const std::vector<std::string> batch = {name + std::string(90, 'a'), name + "second"};
    QIAO_TRY(append(*log_, batch));
    acked_.insert(acked_.end(), batch.begin(), batch.end());
    return {};
  }

  FaultyDisk& disk_;
  std::unique_ptr<SegmentLog> log_;
  std::vector<std::string> acked_;
};

void expect_whole(FaultyDisk& disk, const std::vector<std::string>& acked) {
  if (disk.list(kDirectory)->empty()) {
    EXPECT_TRUE(acked.empty());
    return;
  }
  const auto log = open_log(disk, small(kSegmentBytes));
  ASSERT_TRUE(log);
  const std::uint64_t first = log->bounds().first;
  const std::vector<std::string> texts = texts_of(*log, first);
  ASSERT_GE(first + texts.size(), acked.size());
  EXPECT_LE(first + texts.size(), acked.size() + 2);
  EXPECT_EQ(texts.size() % 2, first % 2) << "half a batch";
  for (std::uint64_t offset = first; offset < acked.size(); ++offset)
    EXPECT_EQ(texts[offset - first], acked[offset]);
  const auto snapshot = log->load_snapshot();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  if (first > 0) {
    ASSERT_TRUE(snapshot->has_value());
    EXPECT_GE((*snapshot)->next_offset, first);
  }
  const auto report = verify_log(disk, kDirectory);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_whole()) << report->damage.front().what;
  ASSERT_TRUE(append(*log, {"goes on"}));
}

class SegmentLogFault : public ::testing::TestWithParam<std::tuple<Fault, FaultyDisk::Crash>> {};

TEST_P(SegmentLogFault, AtAnyCallLosesNothingThatWasAcked) {
  set_log_level(LogLevel::kOff);
  const auto [fault, crash] = GetParam();
  std::uint64_t k = 0;
  for (bool failed = true; failed && k < kCallsMax;) {
    SCOPED_TRACE("call " + std::to_string(++k));
    FaultyDisk disk(k);
    Life life(disk);
    disk.fail_call(k, fault);
    const Status lived = life.live();
    failed = disk.has_failed();
    EXPECT_TRUE(failed || lived) << lived.error().message;
    EXPECT_TRUE(lived || lived.error().code == Code::kUnavailable) << lived.error().message;
    disk.fail_call(0, fault);
    disk.crash(crash);
    life.die();
    expect_whole(disk, life.acked());
  }
  EXPECT_GT(k, 60U);
  EXPECT_LT(k, kCallsMax);
  set_log_level(LogLevel::kInfo);
}

INSTANTIATE_TEST_SUITE_P(OnceAndForever, SegmentLogFault,
                         ::testing::Combine(::testing::Values(Fault::kOnce, Fault::kForever),
                                            ::testing::Values(FaultyDisk::Crash::kLoseUnsynced,
                                                              FaultyDisk::Crash::kTearUnsynced,
                                                              FaultyDisk::Crash::kKeepUnsynced)));

// The same over the start of a log that has files: it opens whole when the disk is well again.
TEST(SegmentLogFault, StartingUpCanFailAtAnyCallAndBeRepeated) {
  set_log_level(LogLevel::kOff);
  for (const Fault fault : {Fault::kOnce, Fault::kForever}) {
    std::uint64_t k = 0;
    for (bool failed = true; failed && k < kCallsMax;) {
      SCOPED_TRACE("call " + std::to_string(++k));
      FaultyDisk disk(k);
      Life life(disk);
      ASSERT_TRUE(life.live());
      life.die();
      disk.fail_call(k, fault);
      const auto log = SegmentLog::open(disk, small(kSegmentBytes));
      failed = disk.has_failed();
      EXPECT_EQ(log.has_value(), !failed);
      disk.fail_call(0, fault);
      disk.crash(FaultyDisk::Crash::kTearUnsynced);
      expect_whole(disk, life.acked());
    }
    EXPECT_GT(k, 5U);
  }
  set_log_level(LogLevel::kInfo);
}

TEST(SegmentLogFault, ADiskWithoutRoomForAWholeSegmentIsUsedToItsEnd) {
  FaultyDisk disk;
  disk.set_capacity(5'000);
  const auto log = open_log(disk, small(1 << 16));
  ASSERT_TRUE(log);
  std::size_t acked = 0;
  while (append(*log, {std::string(400, 'x')})) ++acked;
  EXPECT_GE(acked, 9U);
  EXPECT_LE(acked, 12U);
}

TEST(SegmentLogFault, WhatWasAckedCanBeReadAfterTheDiskIsFull) {
  FaultyDisk disk;
  const auto log = open_log(disk);
  ASSERT_TRUE(append(*log, {"one", "two"}));
  disk.set_capacity(0);
  const Status refused = append(*log, {"three"});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("space"), std::string::npos);
  EXPECT_NE(refused.error().message.find("restart"), std::string::npos);
  const auto entries = log->read(0, 10, 1'000);
  ASSERT_TRUE(entries) << entries.error().message;
  EXPECT_EQ(entries->size(), 2U);
  EXPECT_EQ(log->read(2, 10, 1'000).error(), refused.error());
  EXPECT_EQ(append(*log, {"four"}).error(), refused.error());
}

}  // namespace
}  // namespace qiao
