// SPDX-License-Identifier: Apache-2.0
#include "learn/training/run_folder.h"
#include "base/clock.h"
#include "base/i18n.h"

#include <filesystem>
#include <utility>

namespace qiao::learn {
namespace {

constexpr auto kSaveEvery = std::chrono::minutes(10);

}  // namespace

RunFolder::RunFolder(Disk& disk, std::string out)
    : disk_(disk), out_(std::move(out)), partial_(out_ + ".partial") {}

Status RunFolder::check() const {
  if (!disk_.exists(out_)) return {};
  return Error{Code::kAlreadyExists, out_ + " is there already: remove it or give another --out"};
}

Status RunFolder::begin(bool resume, std::int64_t steps, TrainState& state, AdamW& optimiser,
                        Progress& progress) {
  if (!resume) {
    std::error_code ignored;  // what stays is overwritten file by file
    std::filesystem::remove_all(partial_, ignored);
    return disk_.make_directories(partial_);
  }
  QIAO_ASSIGN(state, load_state(partial_, state.identity, optimiser));
  progress.note(tr(progress.language(), Text::kLearnResumed,
                   {std::to_string(state.step), std::to_string(steps)}));
  return {};
}

bool RunFolder::save_is_due() const {
  return std::chrono::steady_clock::now() - saved_ > kSaveEvery;
}

Status RunFolder::save(const TrainState& state, AdamW& optimiser) {
  saved_ = std::chrono::steady_clock::now();
  return save_state(disk_, partial_, state, optimiser);
}

Error RunFolder::stop(const TrainState& state, std::int64_t steps, AdamW& optimiser) {
  if (Status saved = save(state, optimiser); !saved) return std::move(saved.error());
  return {Code::kCancelled, "stopped at step " + std::to_string(state.step) + " of " +
                                std::to_string(steps) + " and saved in " + partial_ +
                                ": the same command with --resume goes on from there"};
}

Status RunFolder::tell(std::int64_t step, const Scalars& scalars) {
  constexpr double kMilliseconds = 1e-3;
  const double now = static_cast<double>(SystemClock().wall_ms()) * kMilliseconds;
  if (!events_) {
    QIAO_ASSIGN(events_, EventFile::open(disk_, partial_, now));
  }
  return events_->add(step, scalars, now);
}

Status RunFolder::publish() {
  events_.reset();
  QIAO_ASSIGN(const auto names, disk_.list(partial_));
  for (const std::string& name : names) {
    if (name.starts_with("state")) QIAO_TRY(disk_.remove(partial_ + "/" + name));
  }
  return disk_.rename(partial_, out_);
}

}  // namespace qiao::learn
