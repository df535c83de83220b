// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "broker/hash.h"
#include "log/record.h"

namespace qiao::broker {

// The wait after attempt `attempt` (from 1) of the message at `offset`. What is taken off by
// chance, up to a half, is the same for the same attempt of the same message.
inline std::int64_t backoff_ms(const Backoff& backoff, std::uint32_t attempt,
                               std::uint64_t offset) {
  if (backoff.first_ms <= 0) return 0;
  std::int64_t wait_ms = std::min(backoff.first_ms, backoff.max_ms);
  for (std::uint32_t doubled = 1; doubled < attempt && wait_ms < backoff.max_ms; ++doubled)
    wait_ms = std::min(wait_ms * 2, backoff.max_ms);
  const std::uint64_t chance = mix(offset * 0x9e3779b97f4a7c15 + attempt);
  return wait_ms - static_cast<std::int64_t>(chance % static_cast<std::uint64_t>(wait_ms / 2 + 1));
}

}  // namespace qiao::broker
