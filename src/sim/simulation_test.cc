// SPDX-License-Identifier: Apache-2.0
// The simulation itself: the same seed plays the same run, and a planted bug does not stay hidden.
#include "sim/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/logging.h"
#include "log/record.h"
#include "sim/campaign.h"

namespace qiao::sim {
namespace {

constexpr std::uint64_t kSeeds = 60;

// A log that hands everything on; planted bugs change one thing each.
class PassingLog : public Log {
 public:
  explicit PassingLog(std::unique_ptr<Log> log) : log_(std::move(log)) {}
  Result<std::uint64_t> append(std::vector<LogRecord> batch, AppendDone done) override {
    return log_->append(std::move(batch), std::move(done));
  }
  Result<std::vector<LogEntry>> read(std::uint64_t from, std::size_t count_max,
                                     std::size_t bytes_max) override {
    return log_->read(from, count_max, bytes_max);
  }
  Status trim(std::uint64_t floor) override { return log_->trim(floor); }
  Status save_snapshot(const Snapshot& snapshot) override { return log_->save_snapshot(snapshot); }
  Result<std::optional<Snapshot>> load_snapshot() override { return log_->load_snapshot(); }
  [[nodiscard]] LogBounds bounds() const override { return log_->bounds(); }
  [[nodiscard]] Durability durability() const override { return log_->durability(); }
  Status close() override { return log_->close(); }

 protected:
  std::unique_ptr<Log> log_;
};

// Says "durable" when it has only taken the batch.
class HastyLog final : public PassingLog {
 public:
  using PassingLog::PassingLog;
  Result<std::uint64_t> append(std::vector<LogRecord> batch, AppendDone done) override {
    auto first = log_->append(std::move(batch), {});
    if (first && done) done({});
    return first;
  }
  [[nodiscard]] LogBounds bounds() const override {
    LogBounds bounds = log_->bounds();
    bounds.durable = bounds.next;
    return bounds;
  }
};

// Stores one kind of record as something that changes nothing.
template <class Dropped>
class DroppingLog final : public PassingLog {
 public:
  using PassingLog::PassingLog;
  Result<std::uint64_t> append(std::vector<LogRecord> batch, AppendDone done) override {
    const auto dropped = static_cast<std::uint8_t>(Record(Dropped{}).index());
    for (LogRecord& record : batch) {
      if (record.kind == dropped) record = encode(Record(record::Event{}));
    }
    return log_->append(std::move(batch), std::move(done));
  }
  Status save_snapshot(const Snapshot&) override { return {}; }
};

// Stores every lease as a first attempt.
class MiscountingLog final : public PassingLog {
 public:
  using PassingLog::PassingLog;
  Result<std::uint64_t> append(std::vector<LogRecord> batch, AppendDone done) override {
    const auto leased = static_cast<std::uint8_t>(Record(record::Leased{}).index());
    for (LogRecord& record : batch) {
      if (record.kind != leased) continue;
      Result<Record> changed = decode_record(record);
      std::get<record::Leased>(*changed).attempt = 1;
      record = encode(*changed);
    }
    return log_->append(std::move(batch), std::move(done));
  }
};

template <class Planted>
std::vector<Violation> play_with(std::uint64_t seeds = kSeeds) {
  std::vector<Violation> found;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SimOptions options;
    options.seed = seed;
    options.wrap_log = [](std::unique_ptr<Log> log) {
      return std::make_unique<Planted>(std::move(log));
    };
    SimResult result = simulate(options);
    std::move(result.violations.begin(), result.violations.end(), std::back_inserter(found));
  }
  return found;
}

bool names(const std::vector<Violation>& violations, std::string_view checker) {
  return std::any_of(violations.begin(), violations.end(),
                     [&](const Violation& one) { return one.checker == checker; });
}

class SimulationTest : public ::testing::Test {
 protected:
  void SetUp() override { set_log_level(LogLevel::kOff); }
  void TearDown() override { set_log_level(LogLevel::kInfo); }
};

TEST_F(SimulationTest, TheSameSeedGivesTheSameTraceByteForByte) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimOptions options;
    options.seed = seed;
    options.keep_trace = true;
    const SimResult first = simulate(options);
    const SimResult second = simulate(options);
    EXPECT_FALSE(first.trace.empty());
    EXPECT_EQ(first.trace, second.trace) << "seed " << seed;
    EXPECT_EQ(first.trace_sum, second.trace_sum);
    options.keep_trace = false;
    EXPECT_EQ(simulate(options).trace_sum, first.trace_sum);
  }
}

TEST_F(SimulationTest, SeedsKeepEveryPromiseAndMeetEveryFault) {
  const Campaign campaign = play_seeds(1, kSeeds, [](const SimResult&) { return true; });
  EXPECT_EQ(campaign.seeds, kSeeds);
  EXPECT_EQ(campaign.violations, 0U) << dump_json(to_json(campaign), 1);
  EXPECT_EQ(campaign.faults.size(), kFaultKinds) << dump_json(Json(campaign.faults));
  EXPECT_GT(campaign.lives, 2 * kSeeds);
}

TEST_F(SimulationTest, ALogThatDoesNotChangeAnythingIsFine) {
  EXPECT_TRUE(play_with<PassingLog>().empty());
}

TEST_F(SimulationTest, FindsALogThatAcksBeforeTheDiskHasIt) {
  const auto found = play_with<HastyLog>(kSeeds / 3);  // its servers never learn that they failed
  EXPECT_TRUE(names(found, "acked_is_stored_once"));
  EXPECT_TRUE(names(found, "seen_is_durable"));
}

TEST_F(SimulationTest, FindsALogThatForgetsAcks) {
  const auto found = play_with<DroppingLog<record::Acked>>();
  EXPECT_TRUE(names(found, "acked_stays_acked"));
  EXPECT_TRUE(names(found, "one_end_per_group"));
  EXPECT_TRUE(names(found, "nobody_is_forgotten"));
}

TEST_F(SimulationTest, FindsALogThatKeepsDeadLettersThatWereSentAgain) {
  EXPECT_TRUE(names(play_with<DroppingLog<record::Removed>>(), "letter_has_one_fate"));
}

TEST_F(SimulationTest, FindsALogThatForgetsWhatJoined) {
  EXPECT_TRUE(names(play_with<DroppingLog<record::Joined>>(), "nobody_is_forgotten"));
}

TEST_F(SimulationTest, FindsALogThatMiscountsAttempts) {
  EXPECT_TRUE(names(play_with<MiscountingLog>(), "retries_follow_rules"));
}

TEST_F(SimulationTest, FindsALogThatForgetsReceipts) {
  EXPECT_TRUE(names(play_with<DroppingLog<record::Receipt>>(), "receipts_are_kept"));
}

TEST_F(SimulationTest, FindsALogThatForgetsHowTopicsAreKept) {
  EXPECT_TRUE(names(play_with<DroppingLog<record::TopicSet>>(), "retention_keeps_its_bounds"));
}

TEST_F(SimulationTest, ACampaignNamesTheCommandThatReplays) {
  Campaign campaign;
  SimResult result;
  result.seed = 7;
  result.violations = {{"checker", "what"}};
  campaign.add(result);
  const Json json = to_json(campaign);
  EXPECT_EQ(json["violations"][0]["seed"], 7);
  EXPECT_EQ(json["violations"][0]["replay"], "qiao sim --seed 7 --trace trace.txt");
}

}  // namespace
}  // namespace qiao::sim
