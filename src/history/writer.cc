// SPDX-License-Identifier: Apache-2.0
#include "history/writer.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/logging.h"
#include "base/steady_ms.h"

namespace qiao::history {
namespace {

constexpr std::size_t kBatchRecordsMax = 2'000;
constexpr std::size_t kBatchBytesMax = 8 << 20;
constexpr std::int64_t kLookMs = 250;
// While somebody waits: records become durable without a word to us.
constexpr std::int64_t kLookSoonMs = 2;
constexpr std::int64_t kPauseMsMin = 100;
constexpr std::int64_t kPauseMsMax = 10'000;
// Damage that building anew does not mend must not keep the disk busy.
constexpr std::int64_t kRebuildEveryMs = 60'000;

}  // namespace

HistoryWriter::HistoryWriter(std::string path, Log& log, Readers& readers,
                             std::unique_ptr<Projection> projection)
    : path_(std::move(path)),
      log_(log),
      readers_(readers),
      projection_(std::move(projection)),
      position_(projection_->position()),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

HistoryWriter::~HistoryWriter() {
  thread_.request_stop();
  thread_.join();
  readers_.suspend();  // the connection that writes closes last: it leaves one whole file
}

void HistoryWriter::wake() {
  std::lock_guard lock(mutex_);
  wake_ = true;
  woken_.notify_all();
}

void HistoryWriter::report_damage() {
  std::lock_guard lock(mutex_);
  damaged_ = wake_ = true;
  woken_.notify_all();
}

Status HistoryWriter::wait_for(std::uint64_t offset, std::int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  if (position_ >= offset) return {};
  ++waiting_;
  wake_ = true;
  woken_.notify_all();
  const bool reached = reached_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                                         [&] { return position_ >= offset; });
  --waiting_;
  if (reached) return {};
  if (!failure_.empty()) return unavailable("the history does not go on: " + failure_);
  return Error{Code::kDeadline, "the history has reached " + std::to_string(position_) + " of " +
                                    std::to_string(offset) + " in time: retry later"};
}

std::uint64_t HistoryWriter::needed_from() {
  std::lock_guard lock(mutex_);
  persist_wanted_ = wake_ = true;
  woken_.notify_all();
  return persisted_;
}

void HistoryWriter::run(const std::stop_token& stop) {
  pthread_setname_np(pthread_self(), "qiao-history");
  while (!stop.stop_requested()) {
    const Result<bool> stepped = step();
    if (!stepped) {
      on_failure(stepped.error(), stop);
      continue;
    }
    on_progress();
    if (*stepped) continue;
    persist();
    std::unique_lock lock(mutex_);
    const std::int64_t look_ms = waiting_ > 0 ? kLookSoonMs : kLookMs;
    lock.unlock();
    sleep(look_ms, stop);
  }
}

Result<bool> HistoryWriter::step() {
  {
    std::lock_guard lock(mutex_);
    const bool lately = rebuilt_at_ms_ && steady_ms() < *rebuilt_at_ms_ + kRebuildEveryMs;
    if (std::exchange(damaged_, false) && !lately) projection_.reset();
  }
  if (!projection_) QIAO_TRY(reopen());
  const LogBounds bounds = log_.bounds();
  const std::uint64_t from = projection_->position();
  if (from < bounds.first) {
    log_warn("history", "records " + std::to_string(from) + " to " +
                            std::to_string(bounds.first - 1) +
                            " left the log before they were read");
    projection_->skip_to(bounds.first);
    return true;
  }
  if (from >= bounds.durable) return false;
  const std::size_t count = std::min<std::uint64_t>(kBatchRecordsMax, bounds.durable - from);
  auto entries = log_.read(from, count, kBatchBytesMax);
  if (!entries && entries.error().code == Code::kNotFound) return true;  // trimmed meanwhile
  if (!entries) return std::move(entries.error()).with("while reading the log");
  if (Status applied = projection_->apply(*entries); !applied) {
    if (applied.error().code == Code::kCorrupt) projection_.reset();
    return std::move(applied.error());
  }
  return !entries->empty();
}

// Builds the file anew.
Status HistoryWriter::reopen() {
  log_warn("history", path_ + " is built anew: it was found damaged");
  rebuilt_at_ms_ = steady_ms();
  readers_.suspend();
  QIAO_TRY(remove_database(path_));
  QIAO_ASSIGN(projection_, Projection::open(path_, log_));
  readers_.resume();
  return {};
}

void HistoryWriter::on_failure(const Error& error, const std::stop_token& stop) {
  pause_ms_ = std::clamp(pause_ms_ * 2, kPauseMsMin, kPauseMsMax);
  log_warn("history",
           "not up to date, next try in " + std::to_string(pause_ms_) + " ms: " + error.message);
  std::unique_lock lock(mutex_);
  failure_ = error.message;
  if (!projection_) position_ = persisted_ = 0;
  lock.unlock();
  sleep(pause_ms_, stop);
}

void HistoryWriter::on_progress() {
  pause_ms_ = 0;
  std::lock_guard lock(mutex_);
  failure_.clear();
  position_ = projection_->position();
  reached_.notify_all();
}

void HistoryWriter::persist() {
  {
    std::lock_guard lock(mutex_);
    if (!std::exchange(persist_wanted_, false)) return;
  }
  const Result<bool> whole = projection_->persist();
  if (!whole) return log_warn("history", "not synced: " + whole.error().message);
  std::lock_guard lock(mutex_);
  if (*whole) persisted_ = projection_->position();
}

void HistoryWriter::sleep(std::int64_t time_ms, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const bool failing = !failure_.empty();  // then nothing but the time, or the end, ends the pause
  woken_.wait_for(lock, stop, std::chrono::milliseconds(time_ms),
                  [&] { return wake_ && !failing; });
  wake_ = false;
}

}  // namespace qiao::history
