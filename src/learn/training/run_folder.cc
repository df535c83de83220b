// SPDX-License-Identifier: Apache-2.0
#include "learn/training/run_folder.h"

#include <charconv>
#include <filesystem>
#include <sstream>
#include <utility>

#include "base/clock.h"
#include "base/i18n.h"
#include "learn/evaluation/svg.h"
#include "learn/files/free_place.h"

namespace qiao::learn {
namespace {

constexpr auto kSaveEvery = std::chrono::minutes(10);
constexpr const char* kCurvesFile = "/curves.csv";
constexpr const char* kCurvesHeader = "name,step,value\n";

// The lines of an earlier part of the run, up to that step.
std::string lines_until(const std::string& table, std::int64_t step) {
  std::istringstream lines(table);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t comma = line.find(',');
    std::int64_t at = -1;
    if (comma == std::string::npos) continue;
    std::from_chars(line.data() + comma + 1, line.data() + line.size(), at);
    if (at >= 0 && at <= step) kept += line + "\n";
  }
  return kept;
}

}  // namespace

RunFolder::RunFolder(Disk& disk, std::string out)
    : disk_(disk), out_(std::move(out)), partial_(out_ + ".partial") {}

Status RunFolder::check() const {
  return check_free(disk_, out_);
}

Status RunFolder::begin_anew(const char* saved, Progress& progress) {
  if (disk_.exists(partial_ + saved)) {
    progress.note(tr(progress.language(), Text::kLearnBegunAnew, {partial_}));
  }
  std::error_code ignored;  // what stays is overwritten file by file
  std::filesystem::remove_all(partial_, ignored);
  return disk_.make_directories(partial_);
}

Status RunFolder::begin(bool resume, std::int64_t steps, TrainState& state, AdamW& optimiser,
                        Progress& progress) {
  if (!resume) return begin_anew("/state.json", progress);
  QIAO_ASSIGN(state, load_state(partial_, state.identity, optimiser));
  curves_ = lines_until(read_file(partial_ + kCurvesFile).value_or(""), state.step);
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
  QIAO_TRY(events_->add(step, scalars, now));
  for (const auto& [name, value] : scalars) {
    curves_ += name + "," + std::to_string(step) + "," + short_number(value, "%.6g") + "\n";
  }
  return write_file_atomic(disk_, partial_ + kCurvesFile, kCurvesHeader + curves_);
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
