// SPDX-License-Identifier: Apache-2.0
#include "flow/consumer.h"

#include <utility>

#include "base/logging.h"
#include "flow/loop.h"

namespace qiao::flow {

Consumer::Consumer(Broker& broker, Executor& executor, std::string group, std::size_t messages_max,
                   Handle handle)
    : broker_(broker),
      executor_(executor),
      group_(std::move(group)),
      messages_max_(messages_max),
      handle_(std::move(handle)) {}

void Consumer::start(GroupSpec spec, Broker::Done<void> started) {
  broker_.create_group(std::move(spec),
                       on_loop(executor_, shared_from_this(),
                               [started = std::move(started)](Consumer& self, Status created) {
                                 self.started_ = created.has_value();
                                 self.lease();
                                 started(std::move(created));
                               }));
}

void Consumer::done() {
  --in_work_;
  lease();
}

void Consumer::stop() {
  if (std::exchange(stopped_, true)) return;
  broker_.cancel_wait(group_, name_);
}

void Consumer::lease() {
  if (!started_ || stopped_ || leasing_ || in_work_ >= messages_max_) return;
  leasing_ = true;
  broker_.lease(group_, name_, messages_max_ - in_work_, kWaitMs,
                on_loop(executor_, shared_from_this(),
                        [](Consumer& self, Result<std::vector<Delivery>> deliveries) {
                          self.leased(std::move(deliveries));
                        }));
}

void Consumer::leased(Result<std::vector<Delivery>> deliveries) {
  leasing_ = false;
  if (!deliveries) {
    if (stopped_) return;
    log_warn("flow", "cannot lease from " + group_ + ": " + deliveries.error().message);
    executor_.post_after(kRetryMs, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->lease();
    });
    return;
  }
  // After stop() too: what was leased in between is handled, or its lease would have to run out.
  in_work_ += deliveries->size();
  for (Delivery& delivery : *deliveries) handle_(std::move(delivery));
  lease();
}

LeaseKeeper::LeaseKeeper(Places places, LeaseRef lease, std::int64_t lease_ms, bool watched)
    : places_(places), lease_(std::move(lease)), lease_ms_(lease_ms), watched_(watched) {}

LeaseKeeper::~LeaseKeeper() {
  places_.executor.cancel(timer_);
}

void LeaseKeeper::start(std::function<void()> lost) {
  lost_ = std::move(lost);
  hold(places_.clock.steady_us());
  watch();
  arm();
}

void LeaseKeeper::arm() {
  timer_ = places_.executor.post_after(lease_ms_ / 3, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->extend();
  });
}

void LeaseKeeper::extend() {
  watch();
  const std::int64_t from_us = places_.clock.steady_us();
  places_.broker.extend(lease_, lease_ms_,
                        on_loop(places_.executor, shared_from_this(),
                                [from_us](LeaseKeeper& self, Result<std::int64_t> until) {
                                  // Overloaded and the like: there are two more tries before it
                                  // runs out.
                                  const bool gone =
                                      !until && (until.error().code == Code::kConflict ||
                                                 until.error().code == Code::kNotFound);
                                  if (gone) return self.lose();
                                  if (until) self.hold(from_us);
                                  self.arm();
                                }));
}

// The next call ends this one, so that no end of the lease falls between two.
void LeaseKeeper::watch() {
  if (!watched_) return;
  places_.broker.join(lease_, kWatchMs,
                      on_loop(places_.executor, shared_from_this(),
                              [](LeaseKeeper& self, Result<std::vector<StoredMessage>> joined) {
                                if (!joined && joined.error().code == Code::kConflict) self.lose();
                              }));
}

void LeaseKeeper::lose() {
  if (const auto lost = std::exchange(lost_, {})) lost();
}

}  // namespace qiao::flow
