// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#include "base/result.h"

namespace qiao::learn {

inline constexpr std::size_t kOrderThreadsMax = 256;
inline constexpr std::size_t kOrderAheadPerThread = 4;  // items begun and not yet taken

// Work on items 0, 1, 2 … by several threads, whose results are taken one at a time in the order
// of the items: what comes out does not depend on the number of threads.
template <class Out>
struct OrderedWork {
  // Is there an item after those begun? Called one at a time; may be true once too often.
  std::function<bool()> more;
  // Called by many threads at once; every item below `ticket` was begun. Nothing: no item.
  std::function<Result<std::optional<Out>>(std::uint64_t ticket)> work;
  // Called one at a time.
  std::function<Status(std::uint64_t ticket, Out out)> take;
};

namespace impl {

template <class Out>
class OrderedRun {
 public:
  OrderedRun(const OrderedWork<Out>& work, std::size_t threads, std::uint64_t first,
             const std::atomic<bool>& stop)
      : work_(work),
        ahead_max_(threads * kOrderAheadPerThread),
        begun_(first),
        taken_(first),
        stop_(stop) {}

  void serve() {
    while (const auto ticket = next_ticket()) finish(*ticket, guarded(*ticket));
  }
  [[nodiscard]] Status outcome() { return fault_ ? Status(*fault_) : Status(); }
  [[nodiscard]] std::uint64_t taken() const { return taken_; }

 private:
  using Done = Result<std::optional<Out>>;

  std::optional<std::uint64_t> next_ticket() {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return begun_ - taken_ < ahead_max_ || fault_; });
    if (fault_ || stop_.load() || !work_.more()) return std::nullopt;
    return begun_++;
  }

  Done guarded(std::uint64_t ticket) {
    try {
      return work_.work(ticket);
    } catch (const std::bad_alloc&) {
      return overloaded("out of memory");
    } catch (const std::exception& fault) {
      return internal(fault.what());
    }
  }

  Status take(std::uint64_t ticket, Done done) {
    if (!done) return std::move(done.error());
    if (!*done) return {};
    try {
      return work_.take(ticket, std::move(**done));
    } catch (const std::bad_alloc&) {
      return overloaded("out of memory");
    } catch (const std::exception& fault) {
      return internal(fault.what());
    }
  }

  // Takes all results that have their turn, unless another thread is at it.
  void finish(std::uint64_t ticket, Done done) {
    std::unique_lock lock(mutex_);
    waiting_.emplace(ticket, std::move(done));
    if (taking_) return;
    taking_ = true;
    while (!fault_ && !waiting_.empty() && waiting_.begin()->first == taken_) {
      Done next = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
      const std::uint64_t number = taken_;
      lock.unlock();
      Status status = take(number, std::move(next));
      lock.lock();
      if (!status) fault_ = std::move(status.error());
      ++taken_;
      room_.notify_all();
    }
    taking_ = false;
  }

  const OrderedWork<Out>& work_;
  const std::size_t ahead_max_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::uint64_t begun_;
  std::uint64_t taken_;
  std::map<std::uint64_t, Done> waiting_;
  bool taking_ = false;
  std::optional<Error> fault_;
  const std::atomic<bool>& stop_;
};

}  // namespace impl

// Runs `work` from item `first` on by `threads` threads until there is no more, an Error (the
// first in order) or `stop`. At most kOrderAheadPerThread items a thread are in memory.
template <class Out>
Status run_in_order(const OrderedWork<Out>& work, std::size_t threads, std::uint64_t first,
                    const std::atomic<bool>& stop) {
  threads = std::clamp<std::size_t>(threads, 1, kOrderThreadsMax);
  impl::OrderedRun<Out> run(work, threads, first, stop);
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back([&run] { run.serve(); });
  run.serve();
  for (std::thread& other : others) other.join();
  return run.outcome();
}

}  // namespace qiao::learn
