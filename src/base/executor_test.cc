// SPDX-License-Identifier: Apache-2.0
#include "base/executor.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace qiao {
namespace {

// Holds the loop until released, so that tasks pile up behind it.
class Block {
 public:
  explicit Block(LoopThread& loop) {
    std::promise<void> entered;
    auto seen = entered.get_future();
    EXPECT_TRUE(loop.post([&entered, wait = release_.get_future().share()] {
      entered.set_value();
      wait.wait();
    }));
    seen.wait();
  }
  void release() { release_.set_value(); }

 private:
  std::promise<void> release_;
};

TEST(LoopThread, RunsInPostOrderOnItsOwnThread) {
  LoopThread loop("test");
  std::vector<int> seen;
  bool on_loop = true;
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(loop.post([&, i] {
      seen.push_back(i);
      on_loop = on_loop && loop.on_loop();
    }));
  }
  loop.stop();
  ASSERT_EQ(seen.size(), 1'000U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_TRUE(on_loop);
  EXPECT_FALSE(loop.on_loop());
}

TEST(LoopThread, PastItsBoundIsOverloaded) {
  LoopThread loop("test", 2);
  Block block(loop);
  EXPECT_TRUE(loop.post([] {}));
  EXPECT_TRUE(loop.post([] {}));
  EXPECT_EQ(loop.post([] {}).error().code, Code::kOverloaded);
  block.release();
}

TEST(LoopThread, StopRunsWhatWasPostedDropsTimersRefusesMore) {
  LoopThread loop("test");
  std::atomic<int> ran = 0;
  std::atomic<bool> fired = false;
  Block block(loop);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(loop.post([&] { ++ran; }));
  loop.post_after(60'000, [&] { fired = true; });
  block.release();
  loop.stop();
  EXPECT_EQ(ran, 10);
  EXPECT_FALSE(fired);
  EXPECT_EQ(loop.post([] {}).error().code, Code::kCancelled);
}

TEST(LoopThread, TimersFireInOrderOfTime) {
  LoopThread loop("test");
  std::vector<int> seen;
  std::promise<void> done;
  Block block(loop);
  loop.post_after(30, [&] {
    seen.push_back(30);
    done.set_value();
  });
  loop.post_after(10, [&] { seen.push_back(10); });
  loop.post_after(20, [&] { seen.push_back(20); });
  block.release();
  done.get_future().wait();
  loop.stop();
  EXPECT_EQ(seen, (std::vector<int>{10, 20, 30}));
}

TEST(LoopThread, CancelledTimersDoNotRun) {
  LoopThread loop("test");
  std::atomic<bool> fired = false;
  std::promise<void> later;
  const auto timer = loop.post_after(20, [&] { fired = true; });
  loop.post_after(60, [&] { later.set_value(); });
  loop.cancel(timer);
  loop.cancel(timer);
  loop.cancel(999);
  later.get_future().wait();
  EXPECT_FALSE(fired);
}

TEST(LoopThread, TakesTasksFromManyThreads) {
  LoopThread loop("test");
  int count = 0;  // only the loop touches it: a race would show under tsan
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 5'000; ++i) ASSERT_TRUE(loop.post([&] { ++count; }));
      });
    }
  }
  loop.stop();
  EXPECT_EQ(count, 20'000);
}

TEST(LoopThread, ANiceOneMakesNiceThreadsAndLeavesOthersAlone) {
  constexpr int kNiceness = 11;
  const auto niceness = [] { return ::getpriority(PRIO_PROCESS, 0); };
  const int before = niceness();
  int on_loop = -1;
  int started_there = -1;
  LoopThread loop("test", 16, kNiceness);
  ASSERT_TRUE(loop.post([&] {
    on_loop = niceness();
    std::thread([&] { started_there = niceness(); }).join();
  }));
  loop.stop();
  EXPECT_EQ(on_loop, kNiceness);
  EXPECT_EQ(started_there, kNiceness);
  EXPECT_EQ(niceness(), before);
}

}  // namespace
}  // namespace qiao
