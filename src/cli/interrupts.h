// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

namespace qiao::cli {

// SIGINT and SIGTERM as something to wait for instead of the end of the program. Installed by the
// verbs that have something to finish; one object at a time. A second SIGINT that finds the first
// one not taken ends the program at once.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Readable while a signal waits to be taken.
  [[nodiscard]] int fd() const;
  // Waits at most `timeout_ms` (negative: for ever) for a signal, without taking it.
  bool wait(int timeout_ms) const;
  // Forgets signals that came.
  void take();

 private:
  struct sigaction before_int_ {};
  struct sigaction before_term_ {};
};

// Requests a stop at the next signal, as long as it lives. The signal is taken.
class StopOnInterrupt {
 public:
  explicit StopOnInterrupt(Interrupts& interrupts);
  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }
  [[nodiscard]] bool stopped() const { return stop_.stop_requested(); }

 private:
  std::stop_source stop_;
  std::jthread watcher_;
};

}  // namespace qiao::cli
