// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "base/clock.h"

namespace qiao::sim {

// Everything that will happen, in virtual time: the simulation's only thread takes the next event,
// moves the clock to it and runs it. What is planned for one moment happens in the order of
// planning. No bound of its own: actors and executors bound what they plan.
class Agenda {
 public:
  using Task = std::function<void()>;
  using Event = std::pair<std::int64_t, std::uint64_t>;  // moment in µs, order of planning

  [[nodiscard]] std::int64_t now_us() const { return now_us_; }
  Event after_us(std::int64_t delay_us, Task task);
  Event after_ms(std::int64_t delay_ms, Task task) {
    return after_us(delay_ms * 1'000, std::move(task));
  }
  void cancel(Event event) { events_.erase(event); }

  // Runs the next event if there is one up to `end_us`; else moves the clock there: false.
  bool step(std::int64_t end_us);
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

 private:
  std::int64_t now_us_ = 0;
  std::uint64_t planned_ = 0;
  std::uint64_t steps_ = 0;
  std::map<Event, Task> events_;
};

// The machine's clock inside a simulation: steady time is the agenda's, wall time jumps when told.
class SimClock final : public Clock {
 public:
  static constexpr std::int64_t kBeginMs = 1'700'000'000'000;

  explicit SimClock(const Agenda& agenda) : agenda_(agenda) {}
  [[nodiscard]] std::int64_t wall_ms() const override {
    return kBeginMs + offset_ms_ + agenda_.now_us() / 1'000;
  }
  [[nodiscard]] std::int64_t steady_us() const override { return agenda_.now_us(); }
  void jump_ms(std::int64_t ms) {
    offset_ms_ += ms;
    offset_ms_max_ = std::max(offset_ms_max_, offset_ms_);
  }
  // What no clock that follows this one forward and never goes back can be ahead of.
  [[nodiscard]] std::int64_t latest_ms() const {
    return kBeginMs + offset_ms_max_ + agenda_.now_us() / 1'000;
  }

 private:
  const Agenda& agenda_;
  std::int64_t offset_ms_ = 0;
  std::int64_t offset_ms_max_ = 0;
};

}  // namespace qiao::sim
