// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "history/projection.h"
#include "history/readers.h"
#include "log/log.h"

namespace qiao::history {

// The thread that brings the projection up to the log: only what is durable, in batches. It wakes
// when told and looks by itself every quarter of a second.
//
// Owned by History, which has it outlived by `log` and `readers`. Thread-safe. No failure ends
// it: it is logged, and tried again after a pause that doubles; damage is answered by building the
// file anew.
class HistoryWriter {
 public:
  HistoryWriter(std::string path, Log& log, Readers& readers,
                std::unique_ptr<Projection> projection);
  ~HistoryWriter();
  HistoryWriter(const HistoryWriter&) = delete;
  HistoryWriter& operator=(const HistoryWriter&) = delete;

  void wake();
  Status wait_for(std::uint64_t offset, std::int64_t timeout_ms);
  // What survives a power cut; asks for more of it to.
  std::uint64_t needed_from();
  // A reader met damage.
  void report_damage();

 private:
  void run(const std::stop_token& stop);
  Result<bool> step();  // false: nothing to do
  Status reopen();
  void on_failure(const Error& error, const std::stop_token& stop);
  void on_progress();
  void persist();
  void sleep(std::int64_t time_ms, const std::stop_token& stop);

  const std::string path_;
  Log& log_;
  Readers& readers_;
  // The writer thread's own.
  std::unique_ptr<Projection> projection_;  // null: to be opened again
  std::int64_t pause_ms_ = 0;
  std::optional<std::int64_t> rebuilt_at_ms_;

  std::mutex mutex_;
  std::condition_variable_any woken_;
  std::condition_variable reached_;
  bool wake_ = false;
  bool damaged_ = false;
  std::size_t waiting_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t persisted_ = 0;  // below: synced
  bool persist_wanted_ = false;
  std::string failure_;  // of the last try
  std::jthread thread_;  // last: ended first
};

}  // namespace qiao::history
