// SPDX-License-Identifier: Apache-2.0
#include "learn/corpus/in_order.h"

#include <gtest/gtest.h>

namespace qiao::learn {
namespace {

OrderedWork<int> counting(std::atomic<int>& begun, int items, std::vector<int>& taken) {
  OrderedWork<int> work;
  work.more = [&begun, items] { return begun.load() < items; };
  work.work = [&begun](std::uint64_t item) -> Result<std::optional<int>> {
    ++begun;
    if (item % 5 == 3) return std::optional<int>();  // there is none
    std::this_thread::sleep_for(std::chrono::microseconds(item % 7 * 50));
    return std::optional<int>(static_cast<int>(item));
  };
  work.take = [&taken](std::uint64_t, int value) {
    taken.push_back(value);
    return Status();
  };
  return work;
}

TEST(InOrder, ResultsComeInOrderFromAnyNumberOfThreads) {
  std::vector<std::vector<int>> all;
  const std::atomic<bool> stop{false};
  for (const std::size_t threads : {1, 2, 5}) {
    std::atomic<int> begun{0};
    std::vector<int> taken;
    ASSERT_TRUE(run_in_order(counting(begun, 300, taken), threads, 0, stop));
    EXPECT_TRUE(std::is_sorted(taken.begin(), taken.end()));
    taken.resize(240);  // `more` may be true too often
    all.push_back(taken);
  }
  EXPECT_EQ(all[0], all[1]);
  EXPECT_EQ(all[0], all[2]);
}

TEST(InOrder, TheFirstFaultInOrderEndsIt) {
  const std::atomic<bool> stop{false};
  std::vector<int> taken;
  OrderedWork<int> work;
  work.more = [] { return true; };
  work.work = [](std::uint64_t item) -> Result<std::optional<int>> {
    if (item == 20) throw std::runtime_error("thrown");
    if (item == 17) return invalid_argument("the first");
    return std::optional<int>(0);
  };
  work.take = [&](std::uint64_t, int) {
    taken.push_back(0);
    return Status();
  };
  EXPECT_EQ(run_in_order(work, 4, 0, stop).error().message, "the first");
  EXPECT_EQ(taken.size(), 17U);
}

TEST(InOrder, WhatTakingThrowsEndsIt) {
  const std::atomic<bool> stop{false};
  OrderedWork<int> work;
  work.more = [] { return true; };
  work.work = [](std::uint64_t) -> Result<std::optional<int>> { return std::optional<int>(0); };
  work.take = [](std::uint64_t item, int) -> Status {
    if (item == 9) throw std::runtime_error("thrown");
    return {};
  };
  EXPECT_EQ(run_in_order(work, 4, 0, stop).error().message, "thrown");
}

TEST(InOrder, WhatIsBegunIsTakenWhenItIsStopped) {
  std::atomic<bool> stop{false};
  std::atomic<int> begun{0};
  std::vector<int> taken;
  OrderedWork<int> work = counting(begun, 1 << 30, taken);
  work.take = [&](std::uint64_t item, int) {
    taken.push_back(0);
    if (item == 50) stop = true;
    return Status();
  };
  ASSERT_TRUE(run_in_order(work, 3, 0, stop));
  const int none = (begun + 1) / 5;
  EXPECT_EQ(static_cast<int>(taken.size()), begun - none);
}

}  // namespace
}  // namespace qiao::learn
