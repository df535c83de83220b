// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "sim/agenda.h"
#include "sim/fault_plan.h"
#include "sim/journal.h"
#include "sim/server.h"
#include "sim/sim_tool.h"
#include "sim/wire.h"

namespace qiao::sim {

// What clients live in; outlives them.
struct World {
  Agenda& agenda;
  SimClock& clock;
  FaultPlan& faults;
  Journal& journal;
  Server& server;
  Wire& wire;
  SimTool& tool;
};

// One client, or a few that belong together: acts through the wire, writes what it sees into the
// journal. One file each in actors/; make_cast() lists them. One thread; outlives the agenda's
// events.
class Actor {
 public:
  Actor(World& world, std::string name, std::uint64_t seed)
      : world_(world), name_(std::move(name)), rng_(seed) {}
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;
  virtual ~Actor() = default;

  virtual void start() = 0;
  // The faults are over: begins nothing new.
  virtual void settle() { settled_ = true; }
  // What it still waits for; "" when it is done.
  [[nodiscard]] virtual std::string unfinished() const { return ""; }
  [[nodiscard]] const std::string& name() const { return name_; }

 protected:
  // Runs `task` after up to `ms_max`.
  void soon(std::uint64_t ms_max, Agenda::Task task) {
    world_.agenda.after_us(static_cast<std::int64_t>(rng_.below(ms_max * 1'000 + 1)),
                           std::move(task));
  }
  bool chance(double share) { return rng_.unit() < share; }
  void tell(std::string_view what) { world_.journal.trace.line(name_, what); }
  // A refusal is expected under faults, in some classes; anything else is a bug.
  void refused(std::string_view call, const Error& error);

  World& world_;
  const std::string name_;
  Rng rng_;
  bool settled_ = false;
};

// Everybody of one run, as many of each as the seed says.
std::vector<std::unique_ptr<Actor>> make_cast(World& world, std::uint64_t seed);

}  // namespace qiao::sim
