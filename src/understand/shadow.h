// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/json.h"
#include "base/metrics.h"
#include "understand/classifier.h"
#include "understand/comparison.h"

namespace qiao {

// A candidate beside the version of a bundle that is served: it is asked about a share of the
// messages once they are answered, one after another on a thread that yields to all others, and
// what it says is compared and forgotten. A message is never delayed or changed by it: when too
// many wait, comparing is skipped and counted; so is a candidate that fails.
//
// Shared by its slot and the answers under way; stop() before the last of these lets it go.
// Thread-safe. Bounds: kWaitingMax messages wait, besides as many that were taken; a candidate
// answers within kAnswerMsMax or has failed.
class Shadow : public std::enable_shared_from_this<Shadow> {
 public:
  static constexpr std::size_t kWaitingMax = 64;
  static constexpr std::int64_t kAnswerMsMax = 10'000;
  static constexpr int kNiceness = 19;  // the rest of the server goes first

  struct Options {
    std::string name;     // of the bundle, for the metrics
    std::string version;  // of the candidate
    int percent = 100;    // of the messages
    Json about;           // an object: what report() tells beside its figures
  };

  // Where a candidate is opened, so that its encoder computes at the thread's low priority too, and
  // is asked later.
  static std::unique_ptr<LoopThread> make_thread();

  Shadow(Options options, std::shared_ptr<const Classifier> candidate,
         std::unique_ptr<LoopThread> thread, const Clock& clock, Metrics& metrics);
  ~Shadow();
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;

  // `done`, and after it, when the message is in the share, a comparison with its answer.
  Classifier::OnAnswer overhear(const AskedText& asked, Classifier::OnAnswer done);
  [[nodiscard]] const std::string& version() const { return options_.version; }
  // Options::about with the figures of Comparison, `skipped`, `failed`, and why the last one
  // failed.
  [[nodiscard]] Json report() const;
  // Forgets what waits and lets the candidate go; report() stays. Blocks at most kAnswerMsMax.
  void stop();

 private:
  [[nodiscard]] bool is_in_share(const std::string& message_id) const;
  void offer(AskedText asked, TimedAnswer current);
  void compare(const AskedText& asked, const TimedAnswer& current);
  void skip();

  const Options options_;
  const Clock& clock_;
  std::shared_ptr<const Classifier> candidate_;  // of the thread, and after it of stop()
  const std::unique_ptr<LoopThread> thread_;
  Counter& compared_total_;
  Counter& agreed_total_;
  Counter& skipped_total_;
  Counter& failed_total_;
  std::atomic<bool> stopped_{false};
  mutable std::mutex mutex_;  // of what follows
  Comparison comparison_;
  std::uint64_t skipped_ = 0;
  std::uint64_t failed_ = 0;
  std::string failure_;  // the last one
};

}  // namespace qiao
