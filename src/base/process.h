// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace qiao {

struct ProcessOptions {
  std::vector<std::string> arguments;  // program first (looked up on PATH), no shell
  std::string directory;               // "": this one
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours
  bool quiet = false;       // its output goes nowhere; else to our standard error
  std::string output_file;  // both outputs go there instead
  int keep_fd = -1;         // a descriptor of ours that it gets under the same number
};

// A child process that does not outlive us (killed by the destructor and by our death; the kernel
// counts the end of the starting thread as death: start on one that lives on). One thread at a
// time.
class ChildProcess {
 public:
  // not_found when the program is not on the PATH.
  static Result<std::unique_ptr<ChildProcess>> start(const ProcessOptions& options);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // The exit status (128 + signal when killed), or nothing while it runs.
  std::optional<int> poll();
  // Waits up to `timeout_ms`.
  std::optional<int> wait(std::int64_t timeout_ms);
  // SIGTERM, then after `grace_ms` SIGKILL to its whole group; waits for its end.
  void terminate(std::int64_t grace_ms);

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  pid_t pid_;
  std::optional<int> status_;
};

}  // namespace qiao
