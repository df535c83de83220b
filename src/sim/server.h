// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/random.h"
#include "broker/broker.h"
#include "broker/streams.h"
#include "flow/config/flow_config.h"
#include "log/log.h"
#include "sim/agenda.h"
#include "sim/archive.h"
#include "sim/fault_plan.h"
#include "sim/sim_disk.h"
#include "sim/sim_tool.h"
#include "sim/trace.h"

namespace qiao::sim {

// For tests that plant a bug: puts something else in the place of the log.
using WrapLog = std::function<std::unique_ptr<Log>(std::unique_ptr<Log>)>;

// What a server runs on; all of it outlives the server.
struct Machine {
  Agenda& agenda;
  SimClock& clock;
  SimDisk& disk;
  FaultPlan& faults;
  Trace& trace;
  SimTool& tool;
  Archive& archive;
  FlowConfig flow;
  WrapLog wrap_log;
};

// The process `qiao serve`, as far as it decides anything: the real segment log, broker, streams
// and flow engine, on executors of the agenda. It starts, stops and dies any number of times on
// one machine. One thread.
class Server {
 public:
  enum class End { kLost, kTorn, kKilled };

  Server(Machine machine, std::uint64_t seed);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Status start();
  // The process ends without a word, alone or with the machine.
  void end(End how);
  // Finishes turns, writes a snapshot, seals the log; `stopped` does not run when the process dies
  // on the way.
  void stop(std::function<void()> stopped);
  // Its log's next write comes late.
  void slow_disk(std::int64_t ms);

  [[nodiscard]] bool is_up() const { return process_ != nullptr; }
  [[nodiscard]] std::uint64_t life() const { return life_; }
  [[nodiscard]] Log& log();
  [[nodiscard]] Broker& broker();
  [[nodiscard]] Streams& streams();

 private:
  class Process;

  Machine machine_;
  Rng rng_;
  std::uint64_t life_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace qiao::sim
