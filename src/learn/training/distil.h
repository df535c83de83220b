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
  std::string teacher;      // a bundle with layers
  std::int64_t layers = 2;  // of the student
  std::int64_t width = 0;   // of the student, a multiple of the width of a head; 0: the teacher's
  std::int64_t inner = 0;   // of the student; 0: the teacher's
  bool table = false;       // no layers at all: a vector for each token, their mean, and the head
  double relations = 1;     // weight of MiniLM's relations; 0: none
  double allow_loss = 1;    // points of accuracy the student may lose on dev; negative: any
  FinetuneOptions train;    // train, dev, out and how to learn; `base` and `task` are the teacher's
};

// Trains a smaller student to answer as the teacher does. It begins with a part of the teacher:
// some of its layers, evenly spread and with the last; of a narrower one the most important
// columns, heads and neurons (importance.h); of a table the teacher's vector of each token alone.
// It learns from the rows and from the teacher (teacher.h). A table knows no order of words: pairs
// and tags are not for it. Measures both as they are served and writes the student when it passes
// the gate (shrink.h). With `train.resume` a student that was finished and not measured is
// measured.
//
// Returns what measure_shrunk() tells.
Result<Json> distil(Disk& disk, const DistilOptions& options, Progress& progress,
                    const std::atomic<bool>& stop);

}  // namespace qiao::learn
