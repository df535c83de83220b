// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flow/parts.h"
#include "flow/turn/approval.h"
#include "flow/turn/filter.h"
#include "flow/turn/turn_receipts.h"
#include "flow/turn/turn_stream.h"

namespace qiao::flow {

// What came of asking an agent.
struct Answer {
  std::string text;  // "" = none: `error` says why
  Error error;
  std::string filter = "none";  // "passed", "template" (no draft passed), "none" (nothing to judge)
  bool by_model = false;
  std::size_t input_read = 0;      // characters of a text too long for the model; 0: all
  Usage usage;                     // of all attempts
  std::vector<std::string> tools;  // called, in order
  std::int32_t calls = 0;          // of models and tools
  std::int64_t cost_micro = 0;     // by the agent's price
  std::string spent;               // the limit that ended it: "tokens", "calls", "cost"; "" = none
  std::optional<Json> game_state;
  std::string asked;  // the entity the text asks for
};

// Has one agent answer one task: calls the tools it needs (or asks the user for what they need),
// has drafts made and filtered, at most retries + 1 of them, then takes the agent's plain answer.
// Never throws an answer away silently: every step is noted and shown in the stream. What an
// earlier attempt was answered is taken from its receipts; a tool is called when all that led to
// the call is durable.
//
// Flow loop only. Owned by its Turn, which it tells once by `done`.
class AgentRun : public std::enable_shared_from_this<AgentRun> {
 public:
  static constexpr int kToolRoundsMax = 3;         // of the model's own calls
  static constexpr std::size_t kToolCallsMax = 4;  // in one round

  using Done = std::function<void(Answer)>;
  // Gives what the user said since, "" = nothing, to a function that goes on.
  using Steer = std::function<void(const std::function<void(std::string more)>& then)>;
  // Of the turn; they outlive the run.
  struct Places {
    TurnStream& stream;
    TurnReceipts& receipts;
    std::function<void(std::string_view type, Json data)> note;
    std::function<void(const std::string& step)> record_ends;  // of a replay; ends the run
  };

  // Asks for consent to a tool call; goes on with the decision, or never in this attempt.
  using Propose = std::function<void(const Proposal&, const std::function<void(const Approval&)>&)>;

  // `deadline_us`: steady time after which no draft is begun.
  AgentRun(Parts& parts, AgentTask task, std::int64_t deadline_us, Places places, Done done);

  // Asked at safe points: before each draft and when one is made. Requires: before start().
  void when_steered(Steer steer) { steer_ = std::move(steer); }
  void when_proposing(Propose propose) { propose_ = std::move(propose); }
  void start();
  // Ends it: the model stops, `done` never runs.
  void cancel();
  // What the agent says without a model, by what its tools have answered so far.
  [[nodiscard]] std::optional<std::string> plain() const { return processor_.plain(task_); }

 private:
  void call_needed_tool(std::size_t index);
  [[nodiscard]] std::map<std::string, std::string> arguments_of(const ToolConfig& tool) const;
  void ask_for(const ToolConfig& tool);
  struct ToolUse {
    std::string tool;
    std::map<std::string, std::string> arguments;
    std::string key;
    std::string step;
    std::function<void(AgentRun&, ToolOutcome)> then;
  };
  void call_tool(const std::string& tool, std::map<std::string, std::string> arguments,
                 std::function<void(AgentRun&, ToolOutcome)> then);
  void denied(const ToolUse& use, const Approval& approval);
  void call_when_durable(const ToolUse& use);
  void call_now(const ToolUse& use);
  void tool_answered(const ToolUse& use, ToolOutcome outcome);
  void count_call();
  void tools_done();
  [[nodiscard]] bool lacks_grounds() const;
  [[nodiscard]] std::string effect_key(const std::string& tool, const Json& arguments);

  void at_safe_point(std::function<void(AgentRun&, bool steered)> then);
  void take_steering(const std::string& more);
  void draft();
  void make_draft();
  [[nodiscard]] std::string question() const;
  void note_first_text();
  void show(std::string_view piece);
  void keep_draft(const std::string& step, const std::string& asked, const Result<Draft>& draft);
  void drafted(Result<Draft> draft);
  void call_models_tools(std::vector<ToolCall> calls, std::size_t index);
  void judge();
  void keep_verdicts(const std::string& step, const std::string& asked,
                     const std::vector<Verdict>& verdicts);
  void judged(std::vector<Verdict> verdicts);
  void accept(std::string filter);
  void no_draft(Error error);
  void finish(Answer answer);

  Parts& parts_;
  const AgentConfig& agent_;
  Processor& processor_;
  AgentTask task_;
  const std::int64_t begin_us_;
  const std::int64_t deadline_us_;
  const Places places_;
  TurnStream& stream_;
  TurnReceipts& receipts_;
  Done done_;
  Steer steer_;
  Propose propose_;
  Answer answer_;
  Draft draft_;
  Processor::Cancel cancel_;
  int attempt_ = 0;   // drafts begun
  int rejected_ = 0;  // drafts that did not pass
  int tool_rounds_ = 0;
  std::map<std::string, int> calls_;  // by effect key, how often
  std::string draft_step_;            // of the newest draft
  bool first_text_ = true;
  bool over_ = false;
};

}  // namespace qiao::flow
