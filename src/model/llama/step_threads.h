// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

namespace qiao::model {

// How many threads the next step of a model gets.
//
// The threads of a step wait for each other after every layer. While other work holds a core, all
// of them wait for the one that lost it: beside one busy loop on two cores, Qwen 1.5B wrote 0.4 to
// 1.6 tokens a second with two threads and 7 to 8 with one. So a thread is taken away when the
// processor serves fewer than there are, and given back when a short trial finds a free core.
//
// Owned by the scheduler; its thread only.
class StepThreads {
 public:
  // What came of running threads for a while.
  struct Trial {
    int threads = 1;   // fewer than were asked for where the system gives no more
    double share = 0;  // of its time that the processor gave to each of them, 0 to 1
  };
  using Try = std::function<Trial(int threads)>;

  static constexpr std::int64_t kTrialUs = 20'000;
  // Between trials: twice as long after each that found no free core, or one that was taken again
  // (a short trial may be served well where a long step is not).
  static constexpr std::int64_t kTryAfterMinUs = 250'000;
  static constexpr std::int64_t kTryAfterMaxUs = 16'000'000;
  // After a pause of so long what was known is too old.
  static constexpr std::int64_t kPauseUs = 1'000'000;

  explicit StepThreads(int most, Try run = run_now);

  // Whether nothing is known of the processor at `now_us`: the next step should be short, since it
  // may take several times as long as it should.
  [[nodiscard]] bool knows_nothing(std::int64_t now_us) const {
    return most_ > 1 && now_us - ended_us_ >= kPauseUs;
  }
  // For the step that begins at `now_us`. Blocks for kTrialUs when a trial is due.
  int next(std::int64_t now_us);
  // That step is over; meanwhile this process had `cpu_us` of processor time.
  void note(std::int64_t now_us, std::int64_t cpu_us);

 private:
  // Runs so many threads for kTrialUs.
  static Trial run_now(int threads);

  const int most_;
  const Try try_;
  int count_;
  bool raised_ = false;    // by the last trial, no step since
  std::int64_t begun_us_;  // of the last step
  std::int64_t ended_us_;
  std::int64_t try_after_us_ = kTryAfterMinUs;
  std::int64_t try_at_us_ = 0;
};

// Processor time of all threads of this process so far, microseconds.
std::int64_t process_cpu_us();

}  // namespace qiao::model
