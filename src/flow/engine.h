// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/result.h"
#include "broker/broker.h"
#include "broker/streams.h"
#include "flow/agents/tool_box.h"
#include "flow/config/flow_config.h"
#include "flow/turn/conversation.h"
#include "history/history.h"
#include "model/open_model.h"
#include "understand/bundle_slot.h"

namespace qiao {

struct FlowOptions {
  std::size_t turns_max = 64;              // turns side by side
  std::size_t conversations_max = 10'000;  // remembered in memory
  std::int64_t lease_ms = 30'000;
  std::int32_t attempts_max = 5;
  bool start_tools = true;  // false: helper programs stay off (tests without them)
  // A replay: every answer of the outside is taken from the receipts of the delivery. A turn that
  // needs another one ends with the event "replay" that names the step, and asks nobody.
  bool recorded = false;
};

// Everything a flow works with; all of it outlives the engine.
struct FlowServices {
  Broker& broker;
  Streams& streams;
  History* history = nullptr;  // null: a restart forgets what was said before
  const ModelSet& models;
  Executor& executor;
  const Clock& clock;
  Metrics& metrics;
  // A simulation's, in the place of threads and HTTP; they outlive the engine.
  Executor* workers = nullptr;  // runs what blocks; null: threads of the engine's own
  ToolFetch fetch = nullptr;    // the way to tools; null: HTTP
  // The bundles that the flow's heads name; null: there are none.
  const BundleSet* bundles = nullptr;
  // A replay's, on the executor: puts in what the delivery brought then, and gives the conversation
  // as it was. Null: the broker's delivery as it is; memory and history.
  std::function<std::shared_ptr<Conversation>(Delivery&)> recall = nullptr;
};

// Runs one flow (docs/concepts/flow.md): consumes its input as an ordered group, answers every
// message by one turn, and takes the answers of outside consumers from "<flow>.replies".
//
// Owned by server/app. start, stop and cancel may be called from any thread; everything else
// happens on the executor, which never waits for a model, a tool or a disk. At most `turns_max`
// turns run; more messages wait in their group. Destroy it on a thread other than the executor's,
// after stop.
class FlowEngine {
 public:
  // Encodes examples and knowledge, starts the tools' helpers, reads the games' data. Blocks.
  static Result<std::unique_ptr<FlowEngine>> make(FlowConfig config, FlowServices services,
                                                  FlowOptions options = {});
  ~FlowEngine();
  FlowEngine(const FlowEngine&) = delete;
  FlowEngine& operator=(const FlowEngine&) = delete;

  // Creates the groups "flow.<name>" and "flow.<name>.replies" and begins; `started` runs once,
  // on the executor.
  void start(Broker::Done<void> started);
  // Takes no more messages; lets running turns finish for `grace_ms`, hands the rest back to
  // their group. `stopped` runs once, on the executor.
  void stop(std::int64_t grace_ms, std::function<void()> stopped);
  // The same, blocking. Not on the executor.
  void stop_and_wait(std::int64_t grace_ms);

  // The reader of this message's answer went away: ends its turn without a reply.
  void cancel(std::string message_id);
  // Somebody types in this conversation: the turn gate waits that much longer, at most
  // kTypingMsMax; 0: has stopped.
  static constexpr std::int64_t kTypingMsMax = 10'000;
  void typing(std::string conversation, std::int64_t for_ms);

  [[nodiscard]] const FlowConfig& config() const;
  // Models the flow names or could use that are not there: "chat", "encoder-zh", …
  [[nodiscard]] std::vector<std::string> lacks() const;

 private:
  class Impl;
  explicit FlowEngine(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace qiao
