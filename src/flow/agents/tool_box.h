// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fetch.h"
#include "base/json.h"
#include "flow/agents/helper.h"
#include "flow/config/flow_config.h"
#include "flow/work_pool.h"

namespace qiao {

// What one call of a tool gave: `result` when `error` is empty.
struct ToolOutcome {
  std::string tool;
  std::map<std::string, std::string> arguments;
  Json result;
  std::string error;
  int status = 0;  // of HTTP
  double ms = 0;
};

// The way to a tool and the time it takes; a simulation puts its own in their place.
using ToolFetch = std::function<Result<FetchResponse>(const FetchRequest&, std::stop_token)>;
struct ToolOutside {
  ToolFetch fetch;               // null: base/fetch.h
  const Clock* clock = nullptr;  // of ToolOutcome::ms; null: the machine's
};

// Calls the HTTP tools of one flow on a small pool of threads and keeps their helper programs
// running. A fault of a tool (no connection, time over, status of 400 and more, an answer past
// kAnswerBytesMax) is an outcome with `error` set.
//
// Thread-safe. Owned by the FlowEngine; `config` and `pool` must outlive it.
class ToolBox {
 public:
  static constexpr std::size_t kAnswerBytesMax = 256 << 10;
  using OnOutcome = std::function<void(ToolOutcome)>;

  // `start_helpers` false: no helper program is started, their tools fail.
  ToolBox(const FlowConfig& config, WorkPool& pool, bool start_helpers = true,
          ToolOutside outside = {});

  // Returns at once; `done` runs once, on a thread of the pool or inside. `key` goes along as the
  // header Idempotency-Key: a turn that runs again after a crash calls again, with the same key.
  void call(const std::string& tool, std::map<std::string, std::string> arguments,
            const std::string& key, OnOutcome done);

  // OpenAI's `tools` list for a model that may call them itself.
  [[nodiscard]] Json openai_tools(const std::vector<std::string>& names, Language language) const;

 private:
  ToolOutcome call_now(const ToolConfig& tool, std::map<std::string, std::string> arguments,
                       const std::string& key, const std::stop_token& stop);

  const FlowConfig& config_;
  WorkPool& pool_;
  const SystemClock machine_clock_;
  const Clock& clock_;
  const ToolFetch fetch_;
  HelperPrograms helpers_;
};

// `url` with each {name} replaced by its percent-encoded argument; a name without one is an Error.
Result<std::string> fill_url(std::string_view url,
                             const std::map<std::string, std::string>& arguments);
std::string percent_encode(std::string_view text);

}  // namespace qiao
