// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "flow/config/flow_config.h"

namespace qiao {

// The helper programs of a flow's tools (`start: [ … ]`): started with a free port in
// QIAO_TOOL_PORT, watched, started again with backoff (0.2 s doubling to 30 s) when they end,
// killed with the engine. One thread of its own starts and watches them all: a child dies with
// the thread that started it.
//
// Thread-safe. Owned by ToolBox.
class HelperPrograms {
 public:
  HelperPrograms(const std::vector<ToolConfig>& tools, const std::string& directory);
  ~HelperPrograms();
  HelperPrograms(const HelperPrograms&) = delete;
  HelperPrograms& operator=(const HelperPrograms&) = delete;

  // The port of the tool's helper, waiting up to `timeout_ms` until it accepts connections; one
  // that was just started gets ten seconds from then. Blocks: on a worker thread only.
  // `unavailable` says why it does not run.
  Result<std::uint16_t> port(const std::string& tool, std::int64_t timeout_ms,
                             const std::stop_token& stop);

 private:
  struct Helper;
  void watch(const std::stop_token& stop);

  const std::string directory_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::map<std::string, std::unique_ptr<Helper>> helpers_;  // fixed after construction
  std::jthread thread_;
};

// A TCP port of the loopback that was free a moment ago.
Result<std::uint16_t> free_port();

}  // namespace qiao
