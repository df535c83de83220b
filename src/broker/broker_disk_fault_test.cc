// SPDX-License-Identifier: Apache-2.0
// The k-th call to the disk fails, for every k, once and for ever, while a broker publishes,
// leases, acks, writes snapshots and starts up: the caller is told, reads go on, and after a
// restart nothing that was acked is missing and nothing that a consumer acked comes again.
#include <gtest/gtest.h>

#include <set>

#include "base/logging.h"
#include "broker/broker.h"
#include "broker/testing/broker_harness.h"

namespace qiao {
namespace {

using testing::BrokerHarness;
using testing::FaultyDisk;
using Fault = FaultyDisk::Fault;

constexpr std::uint64_t kCallsMax = 2'000;
constexpr int kMessages = 6;

GroupSpec workers() {
  GroupSpec spec;
  spec.name = "workers";
  spec.pattern = "jobs";
  spec.start.at = GroupStart::At::kOldest;
  return spec;
}

// A day's work, and what of it the broker vouched for.
class Day {
 public:
  explicit Day(std::uint64_t seed) : bus_(BrokerHarness::Kind::kSegments, {}, seed) {
    bus_.segments().segment_bytes = 700;
  }

  Status work() {
    QIAO_TRY(bus_.open());
    QIAO_TRY(bus_.create_group(workers()));
    for (int i = 0; i < kMessages; ++i) QIAO_TRY(publish_and_serve());
    QIAO_TRY(bus_.call<void>([&](auto done) { bus_.broker().snapshot(done); }));
    for (int i = 0; i < kMessages; ++i) QIAO_TRY(publish_and_serve());
    return {};
  }

  void expect_kept() {
    const Status opened = bus_.open();
    ASSERT_TRUE(opened) << opened.error().message;
    const auto page = bus_.read("jobs");
    ASSERT_TRUE(page) << page.error().message;
    std::map<std::string, int> kept;
    for (const StoredMessage& stored : page->messages) ++kept[stored.message.id];
    for (const std::string& id : published_) EXPECT_EQ(kept[id], 1) << id;
    for (const auto& [id, count] : kept) EXPECT_EQ(count, 1) << id;
    ASSERT_TRUE(bus_.create_group(workers()));
    bus_.advance_ms(60'000);
    const auto deliveries = bus_.lease("workers", "ann", 100);
    ASSERT_TRUE(deliveries);
    for (const Delivery& delivery : *deliveries)
      EXPECT_FALSE(acked_.contains(delivery.message.id)) << delivery.message.id << " came again";
    // An ack whose answer was a failure may have been kept or not.
    EXPECT_GE(deliveries->size() + tried_.size(), published_.size());
  }

  // Whoever only reads need not know that the log has failed.
  void expect_reads_go_on() {
    const auto page = bus_.read("jobs");
    ASSERT_TRUE(page) << page.error().message;
    std::set<std::string> seen;
    for (const StoredMessage& stored : page->messages) seen.insert(stored.message.id);
    for (const std::string& id : published_) EXPECT_TRUE(seen.contains(id)) << id;
    EXPECT_TRUE(bus_.call<std::vector<TopicInfo>>([&](auto done) { bus_.broker().topics(done); }));
  }

  BrokerHarness& bus() { return bus_; }

 private:
  Status publish_and_serve() {
    Message message = text_message("jobs", "work", "c" + std::to_string(made_ % 3));
    message.id = "m" + std::to_string(made_++);
    const std::string id = message.id;
    QIAO_TRY(bus_.publish(std::move(message)));
    published_.insert(id);
    QIAO_ASSIGN(const auto deliveries, bus_.lease("workers", "ann"));
    for (const Delivery& delivery : deliveries) {
      tried_.insert(delivery.message.id);
      QIAO_TRY(bus_.ack(delivery));
      acked_.insert(delivery.message.id);
    }
    return {};
  }

  BrokerHarness bus_;
  std::set<std::string> published_;
  std::set<std::string> tried_;  // to ack
  std::set<std::string> acked_;
  int made_ = 0;
};

class BrokerDiskFault : public ::testing::TestWithParam<Fault> {
 protected:
  void SetUp() override { set_log_level(LogLevel::kOff); }
  void TearDown() override { set_log_level(LogLevel::kInfo); }
};

TEST_P(BrokerDiskFault, AtAnyCallKeepsWhatWasAcked) {
  std::uint64_t k = 0;
  for (bool failed = true; failed && k < kCallsMax;) {
    SCOPED_TRACE("call " + std::to_string(++k));
    Day day(k);
    day.bus().disk().fail_call(k, GetParam());
    const Status worked = day.work();
    failed = day.bus().disk().has_failed();
    EXPECT_TRUE(failed || worked) << worked.error().message;
    day.bus().disk().fail_call(0, GetParam());
    if (!worked && day.bus().is_open()) day.expect_reads_go_on();
    day.bus().crash(static_cast<FaultyDisk::Crash>(k % 3));
    day.expect_kept();
  }
  EXPECT_GT(k, 60U);
  EXPECT_LT(k, kCallsMax);
}

TEST_P(BrokerDiskFault, StartingUpCanFailAtAnyCallAndBeRepeated) {
  std::uint64_t k = 0;
  for (bool failed = true; failed && k < kCallsMax;) {
    SCOPED_TRACE("call " + std::to_string(++k));
    Day day(k);
    ASSERT_TRUE(day.work());
    day.bus().crash();
    day.bus().disk().fail_call(k, GetParam());
    const Status opened = day.bus().open();
    failed = day.bus().disk().has_failed();
    EXPECT_TRUE(failed || opened) << opened.error().message;
    day.bus().disk().fail_call(0, GetParam());
    day.bus().crash(static_cast<FaultyDisk::Crash>(k % 3));
    day.expect_kept();
  }
  EXPECT_GT(k, 10U);
}

INSTANTIATE_TEST_SUITE_P(OnceAndForever, BrokerDiskFault,
                         ::testing::Values(Fault::kOnce, Fault::kForever));

}  // namespace
}  // namespace qiao
