// SPDX-License-Identifier: Apache-2.0
#include "sim/agenda.h"

#include <algorithm>

namespace qiao::sim {

Agenda::Event Agenda::after_us(std::int64_t delay_us, Task task) {
  const Event event{now_us_ + std::max<std::int64_t>(delay_us, 0), ++planned_};
  events_.emplace(event, std::move(task));
  return event;
}

bool Agenda::step(std::int64_t end_us) {
  if (events_.empty() || events_.begin()->first.first > end_us) {
    now_us_ = std::max(now_us_, end_us);
    return false;
  }
  const auto next = events_.extract(events_.begin());
  now_us_ = next.key().first;
  ++steps_;
  next.mapped()();
  return true;
}

}  // namespace qiao::sim
