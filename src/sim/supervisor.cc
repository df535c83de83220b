// SPDX-License-Identifier: Apache-2.0
#include "sim/supervisor.h"

namespace qiao::sim {
namespace {

constexpr std::int64_t kTickMs = 500;
constexpr std::int64_t kProbeMs = 700;
constexpr std::uint64_t kDownMsMax = 1'000;
constexpr std::uint64_t kFullMsMax = 3'000;
constexpr std::uint64_t kSlowMsMax = 2'000;
constexpr std::uint64_t kJumpMsMax = 3'600'000;

}  // namespace

void Supervisor::start() {
  start_server();
  tick();
  probe();
}

void Supervisor::tick() {
  if (settled_) return;
  draw_crash();
  draw_disk();
  draw_clock();
  world_.agenda.after_ms(kTickMs, [this] { tick(); });
}

void Supervisor::draw_crash() {
  if (!world_.server.is_up()) return;
  FaultPlan& faults = world_.faults;
  if (faults.strikes(Fault::kCrashLost)) return crash(Server::End::kLost);
  if (faults.strikes(Fault::kCrashTorn)) return crash(Server::End::kTorn);
  if (faults.strikes(Fault::kCrashKept)) return crash(Server::End::kKilled);
  if (stopping_ || !faults.strikes(Fault::kStop)) return;
  stopping_ = true;
  world_.server.stop([this] {
    stopping_ = false;
    start_later();
  });
}

void Supervisor::draw_disk() {
  if (world_.faults.strikes(Fault::kDiskSlow))
    world_.server.slow_disk(static_cast<std::int64_t>(rng_.below(kSlowMsMax)));
  if (!world_.faults.strikes(Fault::kDiskFull)) return;
  disk_.set_full(true);
  world_.agenda.after_ms(static_cast<std::int64_t>(rng_.below(kFullMsMax)),
                         [this] { disk_.set_full(false); });
}

void Supervisor::draw_clock() {
  const auto jump = static_cast<std::int64_t>(rng_.below(kJumpMsMax));
  if (world_.faults.strikes(Fault::kClockForward)) world_.clock.jump_ms(jump);
  if (world_.faults.strikes(Fault::kClockBack)) world_.clock.jump_ms(-jump);
}

void Supervisor::crash(Server::End how) {
  world_.server.end(how);
  stopping_ = false;
  start_later();
}

void Supervisor::look() {
  if (disk_.is_dead()) crash(rng_.below(2) == 0 ? Server::End::kLost : Server::End::kTorn);
}

void Supervisor::start_later() {
  if (std::exchange(starts_, true)) return;
  world_.agenda.after_ms(static_cast<std::int64_t>(rng_.below(kDownMsMax)), [this] {
    starts_ = false;
    if (!world_.server.is_up()) start_server();
  });
}

void Supervisor::start_server() {
  if (given_up_) return;
  const Status started = world_.server.start();
  if (started) return;
  given_up_ = started.error().code == Code::kCorrupt;
  if (given_up_)
    world_.journal.strange.push_back("the server cannot start: " + started.error().message);
  start_later();
}

// A server whose log has failed refuses every change for good: it is started anew.
void Supervisor::probe() {
  world_.agenda.after_ms(kProbeMs, [this] { probe(); });
  if (!world_.server.is_up() || stopping_) return;
  world_.server.broker().commit({}, [this, life = world_.server.life()](const auto& done) {
    if (done || done.error().code == Code::kOverloaded) return;
    world_.agenda.after_us(0, [this, life] {
      if (world_.server.is_up() && world_.server.life() == life) crash(Server::End::kKilled);
    });
  });
}

void Supervisor::settle() {
  settled_ = true;
  disk_.set_full(false);
}

}  // namespace qiao::sim
