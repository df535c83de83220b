// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/disk.h"
#include "learn/commands/progress.h"
#include "learn/training/event_file.h"
#include "learn/training/train_state.h"

namespace qiao::learn {

// Where a training keeps what it makes until it is whole: `<out>.partial`, which becomes `<out>` at
// the end. Saves the state every ten minutes and when the run is stopped.
//
// Owned by one run; one thread at a time. `disk` must outlive it.
class RunFolder {
 public:
  RunFolder(Disk& disk, std::string out);

  // already_exists when `out` is there.
  Status check() const;
  // A new folder. Tells when the file `saved` of an earlier run goes for it.
  Status begin_anew(const char* saved, Progress& progress);
  // A new folder, or with `resume` the state that an earlier run of the same identity left.
  Status begin(bool resume, std::int64_t steps, TrainState& state, AdamW& optimiser,
               Progress& progress);
  [[nodiscard]] bool save_is_due() const;
  Status save(const TrainState& state, AdamW& optimiser);
  // Saves and gives the `cancelled` that says how to go on, or the Error of saving.
  Error stop(const TrainState& state, std::int64_t steps, AdamW& optimiser);
  // A point of the run's curves: for TensorBoard, and a line `name,step,value` of curves.csv. A
  // resumed run has those of the step it goes on from and before once.
  Status tell(std::int64_t step, const Scalars& scalars);
  // Takes the state away and gives the folder its final name.
  Status publish();

  [[nodiscard]] const std::string& path() const { return partial_; }

 private:
  Disk& disk_;
  std::string out_;
  std::string partial_;
  std::optional<EventFile> events_;
  std::string curves_;  // lines of curves.csv so far
  std::chrono::steady_clock::time_point saved_ = std::chrono::steady_clock::now();
};

}  // namespace qiao::learn
