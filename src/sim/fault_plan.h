// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/random.h"

namespace qiao::sim {

// What can go wrong. The names are those of the report (docs/internals/simulation.md).
enum class Fault : std::uint8_t {
  kCrashLost,       // power cut: what was not synced is gone
  kCrashTorn,       // power cut: some sectors of it are there
  kCrashKept,       // the process is killed: the machine keeps what was written
  kCrashInWrite,    // power cut inside a disk operation
  kStop,            // an orderly restart
  kDiskWriteError,  // EIO, part of the bytes written
  kDiskSyncError,   // EIO, and the system forgets what was not synced
  kDiskFull,        // ENOSPC for a while
  kDiskSlow,        // acks come late
  kCallLost,
  kCallDoubled,
  kCallLate,
  kAnswerLost,        // the call was done, its caller does not learn it
  kStreamCut,         // a reader's connection ends
  kConsumerVanished,  // with its leases
  kModelFailed,
  kModelEndless,  // never answers
  kModelLied,     // answers nonsense, tools that do not exist, more than it was asked for
  kToolFailed,
  kToolAnswerLost,  // the effect is there, the flow sees an error
  kClockForward,
  kClockBack,
};
inline constexpr std::size_t kFaultKinds = static_cast<std::size_t>(Fault::kClockBack) + 1;
std::string_view name_of(Fault fault);

using FaultCounts = std::map<std::string, std::uint64_t, std::less<>>;

// The faults of one run: which kinds it has at all (about half of them, so that rare mixtures
// come up) and how often each strikes where it may. Drawn from the seed alone.
class FaultPlan {
 public:
  explicit FaultPlan(std::uint64_t seed);

  // Whether the fault strikes here and now; counts it.
  bool strikes(Fault fault);
  // Hears of each one that strikes.
  void on_strike(std::function<void(Fault)> hear) { hear_ = std::move(hear); }
  [[nodiscard]] bool has(Fault fault) const {
    return on_ && chances_[static_cast<std::size_t>(fault)] > 0;
  }
  // From here on nothing goes wrong.
  void end() { on_ = false; }
  [[nodiscard]] FaultCounts counts() const;

 private:
  Rng rng_;
  bool on_ = true;
  std::array<double, kFaultKinds> chances_{};
  std::array<std::uint64_t, kFaultKinds> counts_{};
  std::function<void(Fault)> hear_;
};

}  // namespace qiao::sim
