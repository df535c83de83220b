// SPDX-License-Identifier: Apache-2.0
#include "model/llama/step_threads.h"

#include <gtest/gtest.h>
#include <pthread.h>

namespace qiao::model {
namespace {

// Threads of a model on a made-up machine.
class StepThreadsTest : public testing::Test {
 protected:
  static constexpr std::int64_t kStepUs = 100'000;

  // One step, in which each thread had `free_cores_` ÷ threads of its time; returns its threads.
  int step() {
    const int threads = threads_.next(now_us_);
    now_us_ += kStepUs;
    const double share = std::min(1.0, free_cores_ / threads);
    threads_.note(now_us_, static_cast<std::int64_t>(share * threads * kStepUs));
    return threads;
  }
  void steps(int count) {
    for (int i = 0; i < count; ++i) step();
  }

  double free_cores_ = 4;
  int threads_max_ = 99;  // that can be made
  int trials_ = 0;
  std::int64_t now_us_ = 0;
  StepThreads threads_{4, [this](int threads) {
                         ++trials_;
                         const int made = std::min(threads, threads_max_);
                         return StepThreads::Trial{made, std::min(1.0, free_cores_ / made)};
                       }};
};

TEST_F(StepThreadsTest, HasAllWhileTheMachineIsFree) {
  for (int i = 0; i < 50; ++i) EXPECT_EQ(step(), 4);
  EXPECT_EQ(trials_, 1) << "one before the first step";
}

TEST_F(StepThreadsTest, BeginsWithTheCoresThatAreFree) {
  free_cores_ = 2;
  EXPECT_EQ(step(), 2);
}

TEST_F(StepThreadsTest, NeverHasNone) {
  free_cores_ = 0.1;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(step(), 1);
}

TEST_F(StepThreadsTest, GivesUpThoseThatAreNotServed) {
  step();
  free_cores_ = 1;
  steps(3);
  EXPECT_EQ(step(), 1);
}

TEST_F(StepThreadsTest, TakesThemBackWhenCoresAreFreeAgain) {
  free_cores_ = 1;
  EXPECT_EQ(step(), 1);
  free_cores_ = 4;
  steps(12);
  EXPECT_EQ(step(), 4);
}

TEST_F(StepThreadsTest, TriesMoreAndMoreSeldomWhileNoCoreIsFree) {
  free_cores_ = 1;
  step();
  trials_ = 0;
  steps(10);
  EXPECT_EQ(trials_, 2) << "in the first second";
  steps(400);
  trials_ = 0;
  steps(400);
  EXPECT_LE(trials_, 3) << "in 40 seconds";
  EXPECT_GE(trials_, 2);
}

// A short trial may be served where a step is not: that must not begin anew every time.
TEST(StepThreads, AreNotDeceivedByShortTrialsForLong) {
  StepThreads threads(2, [](int asked) { return StepThreads::Trial{asked, 1}; });
  std::int64_t now_us = 0;
  int slow = 0;
  for (int i = 0; i < 400; ++i) {
    const int count = threads.next(now_us);
    now_us += 100'000;
    threads.note(now_us, 100'000);  // one core's worth, whatever runs
    slow += count == 2 ? 1 : 0;
  }
  EXPECT_LE(slow, 9) << "of 400 steps in 40 seconds";
}

TEST_F(StepThreadsTest, LooksAnewAfterAPause) {
  step();
  free_cores_ = 1;
  now_us_ += StepThreads::kPauseUs;
  EXPECT_EQ(step(), 1);
  EXPECT_EQ(trials_, 2);
}

TEST_F(StepThreadsTest, HasNoMoreThanCanBeMade) {
  threads_max_ = 2;
  EXPECT_EQ(step(), 2);
  steps(50);
  EXPECT_EQ(step(), 2);
  threads_max_ = 4;
  steps(400);
  EXPECT_EQ(step(), 4);
}

TEST_F(StepThreadsTest, KnowsTheMachineFromTheLastStepOn) {
  EXPECT_TRUE(threads_.knows_nothing(now_us_));
  step();
  EXPECT_FALSE(threads_.knows_nothing(now_us_));
  now_us_ += StepThreads::kPauseUs;
  EXPECT_TRUE(threads_.knows_nothing(now_us_));
  EXPECT_FALSE(StepThreads(1).knows_nothing(now_us_)) << "there is nothing to know";
}

TEST(StepThreads, OneThreadIsNeverTried) {
  StepThreads one(1, [](int asked) {
    ADD_FAILURE() << "tried";
    return StepThreads::Trial{asked, 1};
  });
  for (std::int64_t now = 0; now < 10; ++now) {
    EXPECT_EQ(one.next(now * 5'000'000), 1);
    one.note(now * 5'000'000 + 100'000, 0);
  }
}

TEST(StepThreads, ATrialOnThisMachineFindsAShare) {
  StepThreads threads(2);
  const int count = threads.next(0);
  EXPECT_GE(count, 1);
  EXPECT_LE(count, 2);
  EXPECT_GT(process_cpu_us(), 0);
}

// A machine that gives no more threads: none has room for a stack as large as all memory.
TEST(StepThreads, ATrialWhoseThreadsCannotBeMadeLeavesOne) {
  pthread_attr_t before;
  ASSERT_EQ(pthread_getattr_default_np(&before), 0);
  pthread_attr_t huge = before;
  ASSERT_EQ(pthread_attr_setstacksize(&huge, std::size_t{1} << 47U), 0);
  ASSERT_EQ(pthread_setattr_default_np(&huge), 0);
  const int count = StepThreads(4).next(0);
  ASSERT_EQ(pthread_setattr_default_np(&before), 0);
  pthread_attr_destroy(&before);
  EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace qiao::model
