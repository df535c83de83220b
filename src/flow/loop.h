// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <tuple>
#include <utility>

#include "base/executor.h"

namespace qiao::flow {

inline constexpr std::int64_t kPostAgainMs = 50;

// A callback that runs `f(self, args…)` on `executor` while `self` still lives: how answers of
// broker, models and tools come back to the flow's loop. An executor that is full takes it by a
// timer (those are not bounded) soon after; one that has stopped drops it.
template <class T, class F>
auto on_loop(Executor& executor, const std::shared_ptr<T>& self, F f) {
  return [&executor, weak = std::weak_ptr<T>(self), f = std::move(f)](auto... args) {
    if (weak.expired()) return;
    auto pack = std::make_tuple(std::move(args)...);
    Executor::Task task = [weak, f, pack = std::move(pack)]() mutable {
      if (const auto alive = weak.lock()) {
        std::apply([&](auto&... each) { f(*alive, std::move(each)...); }, pack);
      }
    };
    const Status posted = executor.post(task);
    if (!posted && posted.error().code == Code::kOverloaded) {
      executor.post_after(kPostAgainMs, std::move(task));
    }
  };
}

}  // namespace qiao::flow
