// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/disk.h"
#include "base/json.h"
#include "learn/commands/progress.h"
#include "learn/training/finetune.h"

namespace qiao::learn {

struct DistilOptions {
  std::string teacher;      // a bundle of the task classify
  std::int64_t layers = 2;  // of the student
  double lost_max = 1;      // points of accuracy the student may lose on dev; negative: any
  FinetuneOptions train;    // train, dev, out and how to learn; `base` and `task` are the teacher's
};

// Trains a student with fewer layers to answer as the teacher does: it begins with some of the
// teacher's layers, evenly spread and with the last, and learns from labels, from the teacher's
// softened answers (Hinton et al. 2015) and from the vectors it gives the texts. Writes the student
// as a bundle and tells both on dev: accuracy, time a text, bytes. `precondition` when it lost more
// than `lost_max` points: the bundle is then in `out`.refused.
//
// Returns {"teacher": {accuracy, bytes, ms_per_text}, "student": {…}, "kept", "faster"}.
Result<Json> distil(Disk& disk, const DistilOptions& options, Progress& progress,
                    const std::atomic<bool>& stop);

}  // namespace qiao::learn
