// SPDX-License-Identifier: Apache-2.0
#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace qiao {
namespace {

// Everything exec needs, made before fork: after it only async-signal-safe calls are allowed.
struct Prepared {
  std::vector<std::string> strings;
  std::vector<char*> arguments;
  std::vector<char*> environment;
};

Prepared prepare(const ProcessOptions& options) {
  Prepared made;
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    bool replaced = false;
    for (const auto& [name, value] : options.environment) replaced |= text.starts_with(name + "=");
    if (!replaced) variables.emplace_back(text);
  }
  for (const auto& [name, value] : options.environment) variables.push_back(name + "=" + value);
  made.strings = options.arguments;
  made.strings.insert(made.strings.end(), variables.begin(), variables.end());
  for (std::size_t i = 0; i < made.strings.size(); ++i) {
    (i < options.arguments.size() ? made.arguments : made.environment)
        .push_back(made.strings[i].data());
  }
  made.arguments.push_back(nullptr);
  made.environment.push_back(nullptr);
  return made;
}

[[noreturn]] void run_child(const ProcessOptions& options, const Prepared& prepared, int report) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int in = ::open("/dev/null", O_RDONLY);
  if (in >= 0) ::dup2(in, 0);
  int out = 2;
  if (!options.output_file.empty()) {
    out = ::open(options.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  } else if (options.quiet) {
    out = ::open("/dev/null", O_WRONLY);
  }
  if (out >= 0) {
    ::dup2(out, 1);
    ::dup2(out, 2);
  }
  if (options.keep_fd >= 0) ::fcntl(options.keep_fd, F_SETFD, 0);
  if (options.directory.empty() || ::chdir(options.directory.c_str()) == 0) {
    ::execvpe(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
  }
  const int failed = errno;
  [[maybe_unused]] const ssize_t n = ::write(report, &failed, sizeof failed);
  ::_exit(127);
}

int status_of(int raw) {
  return WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
}

constexpr std::chrono::milliseconds kPollEvery{5};

// Until the child ended, without taking its status.
void wait_unreaped(pid_t pid, std::int64_t timeout_ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0 && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(kPollEvery);
}

}  // namespace

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const ProcessOptions& options) {
  if (options.arguments.empty()) return invalid_argument("no program to start");
  const Prepared prepared = prepare(options);
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0)
    return unavailable(std::string("cannot make a pipe: ") + std::strerror(errno));
  const pid_t pid = ::fork();
  if (pid == 0) run_child(options, prepared, report[1]);
  ::close(report[1]);
  if (pid < 0) {
    ::close(report[0]);
    return unavailable(std::string("cannot start a process: ") + std::strerror(errno));
  }
  int failed = 0;
  const ssize_t n = ::read(report[0], &failed, sizeof failed);
  ::close(report[0]);
  auto child = std::unique_ptr<ChildProcess>(new ChildProcess(pid));
  if (n == static_cast<ssize_t>(sizeof failed)) {
    child->wait(1'000);
    return not_found("cannot start " + options.arguments[0] + ": " + std::strerror(failed));
  }
  return child;
}

ChildProcess::~ChildProcess() {
  terminate(0);
}

std::optional<int> ChildProcess::poll() {
  if (status_) return status_;
  int raw = 0;
  const pid_t ended = ::waitpid(pid_, &raw, WNOHANG);
  if (ended == pid_) status_ = status_of(raw);
  if (ended < 0) status_ = 127;  // somebody else reaped it
  return status_;
}

std::optional<int> ChildProcess::wait(std::int64_t timeout_ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!poll() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(kPollEvery);
  return status_;
}

void ChildProcess::terminate(std::int64_t grace_ms) {
  if (poll()) return;
  if (grace_ms > 0) {
    ::kill(-pid_, SIGTERM);
    wait_unreaped(pid_, grace_ms);
  }
  // Also when the child has ended by itself: others of its group may not have. It is not reaped
  // yet, so the group's number cannot be somebody else's.
  ::kill(-pid_, SIGKILL);
  int raw = 0;
  while (::waitpid(pid_, &raw, 0) < 0 && errno == EINTR) {
  }
  status_ = status_of(raw);
}

}  // namespace qiao
