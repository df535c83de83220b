// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flow/agents/tool_box.h"
#include "flow/config/flow_config.h"
#include "flow/config/knowledge.h"
#include "flow/turn/conversation.h"
#include "model/model.h"

namespace qiao {

// What an agent works on. A plain value, the same for every attempt but the last three fields.
struct AgentTask {
  const AgentConfig* agent = nullptr;
  std::string message_id;
  std::string text;  // of the whole turn
  Language language = Language::kEnglish;
  std::shared_ptr<const Conversation> conversation;
  std::vector<KnowledgeHit> knowledge;
  std::vector<ToolOutcome> tools;
  std::int64_t tokens_left = 0;    // of the turn's budget
  std::int32_t calls_left = -1;    // of models and tools; -1: no limit
  std::int64_t cost_left = -1;     // in millionths; -1: no limit
  std::int64_t deadline_ms = 0;    // from now
  std::string rejection;           // why the last draft did not pass, "" at first
  std::vector<ChatTurn> exchange;  // the model's own tool calls and their answers, so far
};

// What an agent proposes to say.
struct Draft {
  std::string text;
  bool by_model = false;       // then it goes through the agent's filters and may get the label
  std::size_t input_read = 0;  // characters of a text too long for the model; 0: all
  bool cut_off = false;        // the model stopped at its token limit, inside a sentence
  std::vector<ToolCall> tool_calls;  // not empty: run these, add to `exchange`, ask again
  Usage usage;
  std::string given;  // what the model was given besides the user's text: filters compare with it
  Json report;        // data of the "model.done" event; null when no model was asked
  std::optional<Json> game_state;  // set: the game goes on with it (null: the game is over)
};

// One way to answer. Stateless between tasks; owned by the FlowEngine for its lifetime.
// Thread-safe.
class Processor {
 public:
  using OnText = std::function<void(std::string_view piece)>;
  using OnDraft = std::function<void(Result<Draft>)>;
  using Cancel = std::function<void()>;

  Processor() = default;
  Processor(const Processor&) = delete;
  Processor& operator=(const Processor&) = delete;
  virtual ~Processor() = default;

  // Returns at once; `on_text` gets pieces as they come, `on_draft` runs once, last, both on any
  // thread or inside. The Cancel (may be empty) ends it soon with `cancelled`.
  virtual Cancel process(std::shared_ptr<const AgentTask> task, OnText on_text,
                         OnDraft on_draft) = 0;

  // The answer that needs no model: when there is none, or no draft passed. Nothing: it has none.
  [[nodiscard]] virtual std::optional<std::string> plain(const AgentTask& task) const = 0;

  // Lets the model read what its answers begin with, alone and with each of `entries`, while
  // nobody waits. Returns at once; `entries` are not used afterwards.
  virtual void warm_up(std::span<const KnowledgeEntry> /*entries*/) {}

  // What only this agent can check in a model's draft; an Error's message is the reason.
  [[nodiscard]] virtual Status check(const AgentTask&, const Draft&) const { return {}; }
};

// The processor of `agent`. `models` gives the agent's model (null when it has none installed).
// Reads the game's data file: blocks, at start only.
Result<std::unique_ptr<Processor>> make_processor(const FlowConfig& config,
                                                  const AgentConfig& agent,
                                                  std::shared_ptr<Model> model, ToolBox& tools);

}  // namespace qiao
