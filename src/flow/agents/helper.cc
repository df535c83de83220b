// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/helper.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/logging.h"
#include "base/process.h"

namespace qiao {
namespace {

using std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr milliseconds kWatchEvery{100};
constexpr milliseconds kBackoffFirst{200};
constexpr milliseconds kBackoffMax{30'000};
constexpr milliseconds kHealthy{10'000};  // a run this long starts the backoff afresh
constexpr milliseconds kConnectEvery{25};
constexpr milliseconds kStartMax{10'000};  // a busy machine needs long to start an interpreter
constexpr std::int64_t kGraceMs = 1'000;

// A socket that closes itself.
class Socket {
 public:
  Socket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool accepts(std::uint16_t port) {
  const Socket socket;
  const sockaddr_in address = loopback(port);
  return socket.fd() >= 0 &&
         ::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Result<std::uint16_t> free_port() {
  const Socket socket;
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (socket.fd() < 0 ||
      ::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return unavailable("no free port on the loopback for a helper program");
  }
  return static_cast<std::uint16_t>(ntohs(address.sin_port));
}

// All fields are guarded by HelperPrograms::mutex_, but `process`, which the watcher alone uses.
struct HelperPrograms::Helper {
  std::vector<std::string> command;
  std::unique_ptr<ChildProcess> process;
  std::uint16_t port = 0;  // 0: does not run
  bool accepted = false;   // since it was started
  std::string failure = "it has not started yet";
  SteadyTime started;
  SteadyTime start_at;
  milliseconds backoff = kBackoffFirst;

  void start(const std::string& name, const std::string& directory, std::mutex& mutex);
  void ended(const std::string& name, int status, std::mutex& mutex);
};

void HelperPrograms::Helper::start(const std::string& name, const std::string& directory,
                                   std::mutex& mutex) {
  Result<std::unique_ptr<ChildProcess>> child = unavailable("");
  const auto free = free_port();
  if (free) {
    ProcessOptions options;
    options.arguments = command;
    options.directory = directory;
    options.environment = {{"QIAO_TOOL_PORT", std::to_string(*free)}};
    child = ChildProcess::start(options);
  } else {
    child = free.error();
  }
  std::lock_guard lock(mutex);
  started = std::chrono::steady_clock::now();
  if (child) {
    process = std::move(*child);
    port = *free;
    accepted = false;
    failure.clear();
    return;
  }
  if (failure != child.error().message) {
    log_warn("flow", "the helper of tool " + name + " does not start: " + child.error().message);
  }
  failure = child.error().message;
  start_at = started + backoff;
  backoff = std::min(backoff * 2, kBackoffMax);
}

void HelperPrograms::Helper::ended(const std::string& name, int status, std::mutex& mutex) {
  log_warn("flow", "the helper of tool " + name + " ended with status " + std::to_string(status) +
                       "; it is started again");
  process.reset();
  std::lock_guard lock(mutex);
  const SteadyTime now = std::chrono::steady_clock::now();
  if (now - started > kHealthy) backoff = kBackoffFirst;
  port = 0;
  failure = "it ended with status " + std::to_string(status);
  start_at = now + backoff;
  backoff = std::min(backoff * 2, kBackoffMax);
}

HelperPrograms::HelperPrograms(const std::vector<ToolConfig>& tools, const std::string& directory)
    : directory_(directory) {
  for (const ToolConfig& tool : tools) {
    if (tool.start.empty()) continue;
    auto helper = std::make_unique<Helper>();
    helper->command = tool.start;
    helpers_.emplace(tool.name, std::move(helper));
  }
  if (!helpers_.empty()) {
    thread_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  }
}

HelperPrograms::~HelperPrograms() = default;  // the jthread asks the watcher to stop and joins

void HelperPrograms::watch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    for (auto& [name, helper] : helpers_) {
      if (helper->process) {
        if (const auto status = helper->process->poll()) helper->ended(name, *status, mutex_);
      } else if (std::chrono::steady_clock::now() >= helper->start_at) {
        helper->start(name, directory_, mutex_);
      }
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kWatchEvery, [] { return false; });
  }
  for (auto& [name, helper] : helpers_) {
    if (helper->process) helper->process->terminate(kGraceMs);
  }
}

Result<std::uint16_t> HelperPrograms::port(const std::string& tool, std::int64_t timeout_ms,
                                           const std::stop_token& stop) {
  const auto found = helpers_.find(tool);
  if (found == helpers_.end()) return not_found("the tool " + tool + " has no helper program");
  Helper& helper = *found->second;
  SteadyTime deadline = std::chrono::steady_clock::now() + milliseconds(timeout_ms);
  std::string failure;
  do {
    std::uint16_t port = 0;
    {
      std::lock_guard lock(mutex_);
      port = helper.port;
      failure = helper.failure;
      if (port != 0 && !helper.accepted) {
        deadline = std::max<SteadyTime>(deadline, helper.started + kStartMax);
      }
    }
    if (port != 0 && accepts(port)) {
      std::lock_guard lock(mutex_);
      helper.accepted = helper.accepted || helper.port == port;
      return port;
    }
    std::this_thread::sleep_for(kConnectEvery);
  } while (!stop.stop_requested() && std::chrono::steady_clock::now() < deadline);
  return unavailable("the helper program of tool " + tool + " does not answer" +
                     (failure.empty() ? "" : ": " + failure));
}

}  // namespace qiao
