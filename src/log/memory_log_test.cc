// SPDX-License-Identifier: Apache-2.0
#include "log/memory_log.h"

#include <gtest/gtest.h>

namespace qiao {
namespace {

TEST(MemoryLog, IsDurableAtOnceAsFarAsMemoryGoes) {
  MemoryLog log;
  EXPECT_EQ(log.durability(), Durability::kMemory);
  bool done = false;
  const auto first = log.append({{1, "a"}, {2, "b"}}, [&](const Status& status) {
    done = true;
    EXPECT_TRUE(status);
    EXPECT_EQ(log.bounds().durable, 2U);
  });
  EXPECT_EQ(*first, 0U);
  EXPECT_TRUE(done);
  EXPECT_EQ(*log.append({{3, "c"}}, {}), 2U);
}

TEST(MemoryLog, ReadsWithinLimitsButAtLeastOne) {
  MemoryLog log;
  ASSERT_TRUE(log.append({{1, "aaaa"}, {2, "bbbb"}, {3, "cccc"}}, {}));
  EXPECT_EQ(log.read(0, 10, 100)->size(), 3U);
  EXPECT_EQ(log.read(0, 2, 100)->size(), 2U);
  EXPECT_EQ(log.read(1, 10, 1)->size(), 1U);
  EXPECT_EQ(log.read(1, 10, 8)->size(), 2U);
  EXPECT_TRUE(log.read(3, 10, 100)->empty());
  const auto entries = log.read(1, 1, 100);
  EXPECT_EQ(entries->front().offset, 1U);
  EXPECT_EQ(entries->front().record.kind, 2);
  EXPECT_EQ(entries->front().record.bytes, "bbbb");
}

TEST(MemoryLog, TrimKeepsOffsets) {
  MemoryLog log;
  ASSERT_TRUE(log.append({{1, "a"}, {2, "b"}, {3, "c"}}, {}));
  ASSERT_TRUE(log.trim(2));
  EXPECT_EQ(log.bounds().first, 2U);
  EXPECT_EQ(log.read(1, 1, 1).error().code, Code::kNotFound);
  EXPECT_EQ(log.read(2, 1, 1)->front().record.bytes, "c");
  EXPECT_EQ(*log.append({{4, "d"}}, {}), 3U);
}

TEST(MemoryLog, KeepsTheNewestSnapshotAndRefusesAfterClose) {
  MemoryLog log;
  EXPECT_FALSE(log.load_snapshot()->has_value());
  ASSERT_TRUE(log.save_snapshot({0, "old"}));
  ASSERT_TRUE(log.save_snapshot({0, "new"}));
  EXPECT_EQ((*log.load_snapshot())->bytes, "new");
  ASSERT_TRUE(log.close());
  EXPECT_EQ(log.append({{1, "a"}}, {}).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace qiao
