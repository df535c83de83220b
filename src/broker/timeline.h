// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace qiao::broker {

// The time that messages carry and that ends what rests: retries, parks, delays. It follows the
// wall clock forward, goes on by the steady clock where the wall clock is behind (it was set back,
// or a restart found it earlier than the last record), and never goes back itself. Leases have
// steady time alone (Impl::now_ms), deadlines are compared with the wall clock. Broker loop only.
class Timeline {
 public:
  explicit Timeline(const Clock& clock) : clock_(clock), steady_us_(clock.steady_us()) {}

  // Time is not before this.
  void not_before(std::int64_t ms) { us_ = std::max(us_, ms * 1'000); }
  std::int64_t now_ms() {
    const std::int64_t steady_us = clock_.steady_us();
    us_ = std::max(clock_.wall_ms() * 1'000, us_ + steady_us - steady_us_);
    steady_us_ = steady_us;
    return us_ / 1'000;
  }

 private:
  const Clock& clock_;
  std::int64_t steady_us_;
  std::int64_t us_ = 0;
};

}  // namespace qiao::broker
