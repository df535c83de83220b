// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/json.h"
#include "learn/commands/progress.h"
#include "learn/training/optimiser.h"
#include "learn/training/ranks.h"
#include "learn/training/run_folder.h"

namespace qiao::learn {

// What a StepLoop teaches. Chance must come from the step alone, so that a resumed run repeats it.
class Learner {
 public:
  Learner() = default;
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;
  virtual ~Learner() = default;

  // Adds to the weights' gradients those of the rows [begin, end) of the step's batch, so that over
  // all rows of the batch they come to the mean's. Returns the part of the mean loss.
  virtual Result<double> add_gradients(std::int64_t step, std::int64_t begin, std::int64_t end) = 0;
  // Over some of the held-out text, or all of it.
  virtual double held_out_loss(bool all) = 0;
  // Writes the model into `folder`: it is the best so far.
  virtual Status keep(const std::string& folder) = 0;
  // A line that shows what the model does now; nullopt: nothing to see.
  virtual Result<std::optional<std::string>> show() = 0;
};

// Of a warm-up: 100 steps, or a tenth of fewer than 1,000.
inline constexpr std::int64_t kByLength = -1;

struct StepOptions {
  std::string out;         // the bundle's folder; must not exist
  std::int64_t batch = 0;  // rows of a step
  std::int64_t steps = 2000;
  double rate = 0;                  // highest; falls to a tenth
  double average = 0.99;            // AdamOptions::average: what is looked at and kept is the mean
  std::int64_t warmup = kByLength;  // steps in which the rate rises
  std::int64_t seed = 1;
  std::int64_t look_every = 200;  // steps between looks at the held-out text
  std::int64_t patience = 0;      // looks without a better loss that end it; 0: never
  std::int64_t stop_after = 0;    // save and stop after this many steps in all; 0: never
  bool resume = false;
};

// The steps of the warm-up, when kByLength stands for them, too.
std::int64_t warmup_of(const StepOptions& options);

// What of them, and of the process, must be equal for a saved training to go on.
Json identity_of(const StepOptions& options);

// The steps of a pre-training: rows of `tokens` each (for the speed), gradients (of all ranks),
// clipping and AdamW, warm-up and cosine, looks that keep the best state, early stop, saving,
// stopping and exact resume. With several ranks each does every step; only the first looks, keeps
// and saves.
//
// One thread at a time. The referenced must outlive it.
class StepLoop {
 public:
  StepLoop(Disk& disk, StepOptions options, std::int64_t tokens, Learner& learner, Ranks& ranks,
           AdamW& optimiser, Progress& progress, const std::atomic<bool>& stop);

  // Until all steps are done or patience is at an end; then the best state is in folder().
  // `identity`: what must be the same for a saved state to be this run's. `cancelled` when stopped,
  // `unavailable` when a rank died; both saved, and the Error says how to go on.
  Status run(Json identity);

  // Publishes the folder under its final name.
  Status publish() { return folder_.publish(); }
  [[nodiscard]] const std::string& folder() const { return folder_.path(); }
  // For the card: curve, best_step, steps, seconds, cpu_seconds, tokens_per_second, the identity as
  // options.
  [[nodiscard]] Json account() const;

 private:
  [[nodiscard]] bool stop_wanted() const;
  Status begin(Json identity);
  Result<bool> learn();  // false: a rank was asked to stop, and nothing was learnt
  Status look();         // of the first rank alone
  Status agree();        // the others learn whether that one ends early
  Error save_and_stop();
  Error ended_by(Error error);
  void note_seconds();

  StepOptions options_;
  std::int64_t tokens_;  // of one row
  Learner& learner_;
  Ranks& ranks_;
  AdamW& optimiser_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
  RunFolder folder_;
  TrainState state_;
  double loss_ = 0;
  double seconds_ = 0;  // learning since the last save
  double cpu_seconds_ = 0;
};

}  // namespace qiao::learn
