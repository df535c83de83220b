// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "broker/broker.h"
#include "sim/agenda.h"
#include "sim/fault_plan.h"
#include "sim/server.h"

namespace qiao::sim {

// The way from clients to the server and back: calls and answers take a while; under faults they
// come late, twice or not at all. A call gets exactly one answer: the server's, or `deadline` when
// none came in time. One thread.
class Wire {
 public:
  static constexpr std::int64_t kAnswerMsMax = 2'500;

  Wire(Agenda& agenda, FaultPlan& faults, Server& server, std::uint64_t seed)
      : agenda_(agenda), faults_(faults), server_(server), rng_(seed) {}

  // `start` makes the call on the broker, once for each time it arrives.
  template <class T>
  void call(std::function<void(Broker&, Broker::Done<T>)> start, Broker::Done<T> answer,
            std::int64_t answer_ms_max = kAnswerMsMax) {
    const auto waiting = std::make_shared<Broker::Done<T>>(std::move(answer));
    const auto finish = [waiting](Result<T> result) {
      if (const auto tell = std::exchange(*waiting, nullptr)) tell(std::move(result));
    };
    agenda_.after_ms(answer_ms_max, [finish] { finish(Error{Code::kDeadline, "no answer came"}); });
    const auto arrive = [this, start = std::move(start), finish] {
      if (!server_.is_up()) return travel([finish] { finish(unavailable("no server")); });
      start(server_.broker(), [this, finish](Result<T> result) {
        if (faults_.strikes(Fault::kAnswerLost)) return;
        travel([finish, result = std::move(result)] { finish(result); });
      });
    };
    if (!faults_.strikes(Fault::kCallLost)) travel(arrive);
    if (faults_.strikes(Fault::kCallDoubled)) travel(arrive);
  }

 private:
  static constexpr std::uint64_t kTravelUsMax = 3'000;
  static constexpr std::uint64_t kLateUsMax = 4'000'000;

  void travel(Agenda::Task task) {
    std::uint64_t us = 1 + rng_.below(kTravelUsMax);
    if (faults_.strikes(Fault::kCallLate)) us += rng_.below(kLateUsMax);
    agenda_.after_us(static_cast<std::int64_t>(us), std::move(task));
  }

  Agenda& agenda_;
  FaultPlan& faults_;
  Server& server_;
  Rng rng_;
};

}  // namespace qiao::sim
