// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/random.h"
#include "sim/actor.h"

namespace qiao::sim {

// What happens to the machine and its server: starts it, lets it crash and stop as the fault plan
// says, fills and slows the disk, moves the clock, and starts it again, also when its log failed.
class Supervisor {
 public:
  Supervisor(World& world, SimDisk& disk, std::uint64_t seed)
      : world_(world), disk_(disk), rng_(seed) {}

  void start();
  // After each step of the agenda: the power may have gone off inside it.
  void look();
  // The faults are over: what they left is put right.
  void settle();
  // The server cannot start again, whatever is done: the log is damaged.
  [[nodiscard]] bool has_given_up() const { return given_up_; }

 private:
  void tick();
  void draw_crash();
  void draw_disk();
  void draw_clock();
  void crash(Server::End how);
  void start_server();
  void start_later();
  void probe();

  World& world_;
  SimDisk& disk_;
  Rng rng_;
  bool settled_ = false;
  bool stopping_ = false;
  bool starts_ = false;  // a start is planned
  bool given_up_ = false;
};

}  // namespace qiao::sim
