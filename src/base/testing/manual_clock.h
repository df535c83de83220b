// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "base/clock.h"

namespace qiao::testing {

// A clock that stands still until told. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::int64_t start_ms = 1'700'000'000'000) : us_(start_ms * 1000) {}
  [[nodiscard]] std::int64_t wall_ms() const override { return us_.load() / 1000 + jumped_ms_; }
  [[nodiscard]] std::int64_t steady_us() const override { return us_.load(); }
  void advance_ms(std::int64_t ms) { us_ += ms * 1000; }
  // Somebody sets the clock: only the wall's.
  void jump_ms(std::int64_t ms) { jumped_ms_ += ms; }

 private:
  std::atomic<std::int64_t> us_;
  std::atomic<std::int64_t> jumped_ms_{0};
};

}  // namespace qiao::testing
