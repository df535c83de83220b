// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/disk.h"
#include "base/json.h"
#include "learn/models/encoder.h"
#include "learn/training/optimiser.h"

namespace qiao::learn {

// How far a training is, and what must be the same for it to go on.
struct TrainState {
  Json identity;  // options and sums of the data: a resumed run must have the same
  std::int64_t epoch = 0;
  std::int64_t batch_in_epoch = 0;  // batches of that epoch behind us
  std::int64_t step = 0;            // batches in all
  Json notes;                       // whatever else the trainer keeps: best quality, history
};

// Writes state.json and state.safetensors (weights, moments) into `folder`; both whole or the old
// ones.
Status save_state(Disk& disk, const std::string& folder, const TrainState& state, AdamW& optimiser);

// Reads them back into the optimiser's weights and moments. `precondition` when they were written
// by a run of another `identity`, with the first key that differs.
Result<TrainState> load_state(const std::string& folder, const Json& identity, AdamW& optimiser);

}  // namespace qiao::learn
