// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/testing/manual_clock.h"
#include "base/testing/manual_executor.h"
#include "broker/broker.h"
#include "log/memory_log.h"
#include "log/segment_log.h"
#include "log/testing/faulty_disk.h"

namespace qiao::testing {

// A broker on a loop and a clock that the test owns, over a memory log or segment files on a
// faulty disk. crash() and reopen() lose what a machine would lose. One thread at a time.
class BrokerHarness {
 public:
  enum class Kind { kMemory, kSegments };

  explicit BrokerHarness(Kind kind, BrokerOptions options = {}, std::uint64_t seed = 1)
      : kind_(kind), options_(options), disk_(seed), ids_(clock_, seed) {
    segments_.directory = "data";
    segments_.segment_bytes = 1 << 16;
  }
  ~BrokerHarness() { broker_.reset(); }
  BrokerHarness(const BrokerHarness&) = delete;
  BrokerHarness& operator=(const BrokerHarness&) = delete;

  Status open() {
    if (kind_ == Kind::kSegments) {
      QIAO_ASSIGN(log_, SegmentLog::open(disk_, segments_, &recovery_));
    } else if (!log_) {
      log_ = std::make_unique<MemoryLog>();
    }
    QIAO_ASSIGN(broker_, Broker::open(*log_, loop_, clock_, ids_, metrics_, options_));
    loop_.run();
    return {};
  }
  // The process ends without a word. A memory log is kept, as if the memory had been; on disk the
  // unsynced writes are gone.
  void crash(FaultyDisk::Crash how = FaultyDisk::Crash::kLoseUnsynced) {
    broker_.reset();
    if (kind_ == Kind::kMemory) return;
    disk_.crash(how);
    log_.reset();
  }
  // An orderly end.
  void stop() {
    std::thread stopping([this] { broker_->stop(); });
    std::atomic<bool> stopped{false};
    std::thread waiting([&] {
      stopping.join();
      stopped = true;
    });
    while (!stopped) run();
    waiting.join();
    broker_.reset();
    if (kind_ == Kind::kSegments) log_.reset();
  }

  // Calls the broker and runs the loop until the answer is there.
  template <class T>
  Result<T> call(const std::function<void(Broker::Done<T>)>& start) {
    const auto answer = begin<T>(start);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!answer->has_value() && std::chrono::steady_clock::now() < end) run();
    if (!answer->has_value()) return internal("no answer came");
    return std::move(**answer);
  }
  // The same for an answer that may come later.
  template <class T>
  std::shared_ptr<std::optional<Result<T>>> begin(
      const std::function<void(Broker::Done<T>)>& start) {
    auto answer = std::make_shared<std::optional<Result<T>>>();
    start([answer](Result<T> result) { *answer = std::move(result); });
    return answer;
  }
  // Runs what is posted; lets the log's thread post.
  void run() {
    if (loop_.run() == 0) std::this_thread::yield();
  }
  // Runs until all that was appended has been released.
  void settle() {
    static_cast<void>(
        call<std::vector<Published>>([this](auto done) { broker_->commit({}, std::move(done)); }));
    loop_.run();
  }
  void advance_ms(std::int64_t ms) {
    settle();
    loop_.advance_ms(ms);
    settle();
  }

  Result<Published> publish(Message message) {
    auto result = call<std::vector<Published>>(
        [&](auto done) { broker_->publish({std::move(message)}, std::move(done)); });
    if (!result) return result.error();
    return result->front();
  }
  Status create_group(const GroupSpec& spec) {
    return call<void>([&](auto done) { broker_->create_group(spec, std::move(done)); });
  }
  Result<std::vector<Delivery>> lease(const std::string& group, const std::string& consumer,
                                      std::size_t count = 1) {
    return call<std::vector<Delivery>>(
        [&](auto done) { broker_->lease(group, consumer, count, 0, std::move(done)); });
  }
  Status ack(const Delivery& delivery) {
    return call<void>([&](auto done) { broker_->ack({lease_of(delivery)}, std::move(done)); });
  }
  Status nack(const Delivery& delivery, std::int64_t delay_ms = 0, bool counts = true,
              const std::string& reason = "no") {
    return call<void>([&](auto done) {
      broker_->nack(lease_of(delivery), delay_ms, counts, reason, std::move(done));
    });
  }
  Result<Page> read(const std::string& pattern, std::uint64_t from = 0, std::size_t limit = 1'000) {
    return call<Page>([&](auto done) { broker_->read(pattern, from, limit, std::move(done)); });
  }

  Broker& broker() { return *broker_; }
  [[nodiscard]] bool is_open() const { return broker_ != nullptr; }
  Log& log() { return *log_; }
  FaultyDisk& disk() { return disk_; }
  ManualClock& clock() { return clock_; }
  ManualExecutor& loop() { return loop_; }
  SegmentLogOptions& segments() { return segments_; }
  [[nodiscard]] const SegmentLogRecovery& recovery() const { return recovery_; }

 private:
  const Kind kind_;
  const BrokerOptions options_;
  SegmentLogOptions segments_;
  SegmentLogRecovery recovery_;
  ManualClock clock_;
  ManualExecutor loop_{clock_};
  FaultyDisk disk_;
  IdMaker ids_;
  Metrics metrics_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Broker> broker_;
};

}  // namespace qiao::testing
