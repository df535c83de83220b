// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "broker/broker.h"

namespace qiao::flow {

// Keeps at most `messages_max` messages of one group in work: leases as many as there is room
// for, hands each to `handle`, and leases more when done() makes room. A broker that refuses is
// asked again after kRetryMs. Flow loop only; shared so that late answers find nobody.
class Consumer : public std::enable_shared_from_this<Consumer> {
 public:
  static constexpr std::int64_t kWaitMs = 30'000;  // one long poll
  static constexpr std::int64_t kRetryMs = 1'000;
  using Handle = std::function<void(Delivery)>;

  Consumer(Broker& broker, Executor& executor, std::string group, std::size_t messages_max,
           Handle handle);

  // Creates the group, or gives it these settings, then begins to consume. `started` runs once.
  void start(GroupSpec spec, Broker::Done<void> started);
  // One message is acked, nacked or given up.
  void done();
  // Leases no more; messages in work stay so.
  void stop();
  [[nodiscard]] std::size_t in_work() const { return in_work_; }

 private:
  void lease();
  void leased(Result<std::vector<Delivery>> deliveries);

  Broker& broker_;
  Executor& executor_;
  const std::string group_;
  // One engine per flow and server; what consumers named "flow/…" had leased is given back at once
  // when a broker recovers.
  const std::string name_ = "flow/engine";
  const std::size_t messages_max_;
  const Handle handle_;
  std::size_t in_work_ = 0;
  bool leasing_ = false;
  bool started_ = false;
  bool stopped_ = false;  // also before the group was there
};

// Extends the lease of one message until destroyed, so that a slow turn is not given to another
// consumer. `lost` runs once when the lease is gone; with `watched`, as soon as it is. Flow loop
// only.
class LeaseKeeper : public std::enable_shared_from_this<LeaseKeeper> {
 public:
  static constexpr std::int64_t kWatchMs = 60'000;  // one long poll; each extension begins another

  struct Places {
    Broker& broker;
    Executor& executor;
    const Clock& clock;
  };
  LeaseKeeper(Places places, LeaseRef lease, std::int64_t lease_ms, bool watched);
  ~LeaseKeeper();
  LeaseKeeper(const LeaseKeeper&) = delete;
  LeaseKeeper& operator=(const LeaseKeeper&) = delete;

  void start(std::function<void()> lost);
  // Of a lease that is gone: it had not run out, so somebody ended it.
  [[nodiscard]] bool was_in_time() const { return places_.clock.steady_us() < held_until_us_; }

 private:
  void arm();
  void extend();
  void watch();
  void hold(std::int64_t from_us) { held_until_us_ = from_us + lease_ms_ * 1'000; }
  void lose();

  const Places places_;
  const LeaseRef lease_;
  const std::int64_t lease_ms_;
  const bool watched_;
  std::int64_t held_until_us_ = 0;
  std::function<void()> lost_;
  Executor::TimerId timer_ = 0;
};

}  // namespace qiao::flow
