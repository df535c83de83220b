// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/json.h"
#include "learn/commands/progress.h"
#include "learn/data/rows.h"

namespace qiao::learn {

inline constexpr std::size_t kAskedRowsMax = 5000;  // of dev

// Which of so many rows of dev are asked about, rising: all, or kAskedRowsMax by chance, always the
// same ones.
std::vector<std::size_t> asked_rows(std::size_t rows);

// Two bundles of one task and the same labels on `dev`, as the server runs them (llama.cpp; where
// it is not built in, libtorch), asked in turns, one text at a time:
//   before, after  {accuracy, entity_f1 (tags), r2 (numbers), bytes (served), p50_ms, p99_ms}
//   lost           points of accuracy (tags: of entity F1; numbers: of R²; heads: of their mean)
//   kept           after's figure over before's; `faster`: before's p50 over after's
//   agreement      share of the rows on which both say the same; not of numbers
//   engine         "llama.cpp" or "libtorch"
Result<Json> measure_shrunk(const std::string& before, const std::string& after, const RowFile& dev,
                            const std::atomic<bool>& stop);

// A model that was made smaller, and not named yet.
struct Shrunk {
  std::string from;
  std::string made;      // where it stands
  std::string out;       // what it shall be called
  double allowed = 1;    // points that it may have lost; negative: any
  bool resumes = false;  // the same command with --resume measures it again
};

// The gate of everything that makes a model smaller: tells people one line of what was measured,
// and gives `made` its name `out` when it lost no more than it may, else moves it to `out`.refused
// and gives `precondition`. Until then nothing stood under the name `out`.
Status pass_gate(Disk& disk, const Shrunk& shrunk, const Json& told, Progress& progress);
// Of a bundle: measures it on `dev`, notes the figures in its card and lets it pass the gate.
// Returns what measure_shrunk() told.
Result<Json> finish_shrunk(Disk& disk, const Shrunk& shrunk, const RowFile& dev, Progress& progress,
                           const std::atomic<bool>& stop);

// Where a shrunk model stands until it has passed: `out`.unmeasured.
std::string unmeasured(const std::string& out);
// The same, free for a training that makes its folder itself: what an earlier one left there goes,
// but with `resume` one that is finished stays. already_exists when `out` is there.
Result<std::string> free_unmeasured(Disk& disk, const std::string& out, bool resume);
// A fresh folder there. already_exists when `out` is there.
Result<std::string> begin_unmeasured(Disk& disk, const std::string& out);

// Takes out of a card what was measured of the bundle that another is made from.
void forget_figures(Json& card);
// What a card says of a bundle that was made from another.
Json shrunk_card(const std::string& from, const std::string& sha256, const std::string& how,
                 const Json& options);
// Sets a key of the card of the bundle in `folder`.
Status add_to_card(Disk& disk, const std::string& folder, const std::string& key,
                   const Json& value);

}  // namespace qiao::learn
