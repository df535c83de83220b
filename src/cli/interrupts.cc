// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupts.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "cli/exit_status.h"

namespace qiao::cli {
namespace {

constexpr int kWatchMs = 50;  // how late a watcher sees that it is no longer wanted

// A signal handler reaches nothing but globals, and of them only these without a lock.
std::atomic<int> read_end = -1;
std::atomic<int> write_end = -1;
std::atomic<int> waiting = 0;
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int signal) {
  const int saved = errno;
  if (waiting.fetch_add(1) > 0 && signal == SIGINT) ::_exit(kExitInterrupted);
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = ::write(write_end.load(), &byte, 1);
  errno = saved;
}

// A signal that our parent has told us to ignore stays ignored: a shell does so for what it runs
// in the background, whose Ctrl-C is meant for the foreground.
struct sigaction catch_signal(int signal) {
  struct sigaction before {};
  ::sigaction(signal, nullptr, &before);
  struct sigaction action {};
  action.sa_handler = before.sa_handler == SIG_IGN ? SIG_IGN : &on_signal;
  ::sigaction(signal, &action, nullptr);
  return before;
}

}  // namespace

Interrupts::Interrupts() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return;  // then signals end the program
  read_end = ends[0];
  write_end = ends[1];
  before_int_ = catch_signal(SIGINT);
  before_term_ = catch_signal(SIGTERM);
}

Interrupts::~Interrupts() {
  if (read_end < 0) return;
  ::sigaction(SIGINT, &before_int_, nullptr);
  ::sigaction(SIGTERM, &before_term_, nullptr);
  ::close(read_end.exchange(-1));
  ::close(write_end.exchange(-1));
  waiting = 0;
}

int Interrupts::fd() const {
  return read_end;
}

bool Interrupts::wait(int timeout_ms) const {
  pollfd watched{read_end, POLLIN, 0};
  const int ready = ::poll(&watched, 1, timeout_ms);
  return ready > 0 || (ready < 0 && waiting > 0);  // poll itself was interrupted
}

void Interrupts::take() {
  char bytes[64];
  while (::read(read_end, bytes, sizeof bytes) > 0) {
  }
  waiting = 0;
}

StopOnInterrupt::StopOnInterrupt(Interrupts& interrupts)
    : watcher_([this, &interrupts](const std::stop_token& unwanted) {
        while (!unwanted.stop_requested()) {
          if (!interrupts.wait(kWatchMs)) continue;
          interrupts.take();
          stop_.request_stop();
          return;
        }
      }) {}

}  // namespace qiao::cli
