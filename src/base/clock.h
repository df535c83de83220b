// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace qiao {

// The only source of time. Passed in, so that tests and simulations own it. Thread-safe.
class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  // Unix time in milliseconds; may jump.
  [[nodiscard]] virtual std::int64_t wall_ms() const = 0;
  // Microseconds since an arbitrary start; never goes back.
  [[nodiscard]] virtual std::int64_t steady_us() const = 0;
};

// The machine's clock.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t wall_ms() const override;
  [[nodiscard]] std::int64_t steady_us() const override;
};

}  // namespace qiao
