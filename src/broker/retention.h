// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/state.h"
#include "log/record.h"

namespace qiao::broker {

// How much one look at what is kept too long may do.
struct RetentionLimits {
  std::size_t looked_max = 1 << 16;  // messages over a bound, at most so many of them in groups
  std::size_t removed_max = 1 << 14;
};

// What of one topic is kept no longer at `now_ms`.
struct Overdue {
  std::vector<record::Removed> removed;  // one for each reason
  std::size_t looked = 0;
  bool more = false;                    // a limit was reached
  std::optional<std::int64_t> next_ms;  // when the oldest of the rest is too old
};

// Decides from the state alone. What a group has open stays, unless the settings say otherwise.
Overdue find_overdue(State& state, std::string_view subject, const TopicSpec& spec,
                     std::int64_t now_ms, RetentionLimits limits);

}  // namespace qiao::broker
