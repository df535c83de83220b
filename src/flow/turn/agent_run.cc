// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/agent_run.h"

#include <algorithm>
#include <cmath>

#include "base/digest.h"
#include "base/i18n.h"
#include "flow/loop.h"
#include "flow/turn/receipt_json.h"
#include "text/normalise.h"

namespace qiao::flow {
namespace {

constexpr std::size_t kNotedBytesMax = 4 << 10;  // of a tool's answer or a draft, in an event

Json arguments_json(const std::map<std::string, std::string>& arguments) {
  Json json = Json::object();
  for (const auto& [name, value] : arguments) json[name] = value;
  return json;
}

Json to_json(const ToolOutcome& outcome) {
  Json json{{"tool", outcome.tool}, {"ms", outcome.ms}};
  if (outcome.status != 0) json["status"] = outcome.status;
  if (!outcome.error.empty()) {
    json["error"] = outcome.error;
    return json;
  }
  std::string text = dump_json(outcome.result);
  if (text.size() <= kNotedBytesMax) {
    json["result"] = outcome.result;
  } else {
    json["result_cut"] = cut_utf8(text, kNotedBytesMax);
  }
  return json;
}

Json to_json(const std::vector<Verdict>& verdicts) {
  Json list = Json::array();
  for (const Verdict& verdict : verdicts) list.push_back(qiao::to_json(verdict));
  return list;
}

std::string said_before(const Conversation& conversation) {
  std::string text;
  for (const RememberedMessage& message : conversation.messages) text += message.text + "\n";
  return text;
}

// The model's arguments as the tool takes them: one text each.
std::map<std::string, std::string> parse_arguments(const std::string& text) {
  std::map<std::string, std::string> arguments;
  const auto json = parse_json(text);
  if (!json || !json->is_object()) return arguments;
  for (const auto& [name, value] : json->items()) {
    arguments[name] = value.is_string() ? value.get<std::string>() : dump_json(value);
  }
  return arguments;
}

// Whether a draft is word for word what users say to be handed over: no answer, but a model's way
// to ask for a person.
bool asks_for_person(const FlowConfig& config, const std::string& draft) {
  const std::string said = match_key(draft);
  const auto& routes = config.routes.routes;
  return !said.empty() && std::any_of(routes.begin(), routes.end(), [&](const Route& route) {
    return !route.to.starts_with("agent.") &&
           std::any_of(route.like.begin(), route.like.end(),
                       [&](const std::string& example) { return match_key(example) == said; });
  });
}

// Which one a processor speaks of.
std::string spent_limit(const Error& error) {
  for (const char* limit : {"calls", "cost"}) {
    if (error.message.find(limit) != std::string::npos) return limit;
  }
  return "tokens";
}

}  // namespace

AgentRun::AgentRun(Parts& parts, AgentTask task, std::int64_t deadline_us, Places places, Done done)
    : parts_(parts),
      agent_(*task.agent),
      processor_(*parts.agents.at(task.agent->name)),
      task_(std::move(task)),
      begin_us_(parts.clock.steady_us()),
      deadline_us_(deadline_us),
      places_(std::move(places)),
      stream_(places_.stream),
      receipts_(places_.receipts),
      done_(std::move(done)) {}

void AgentRun::start() {
  call_needed_tool(0);
}

void AgentRun::cancel() {
  over_ = true;
  if (cancel_) cancel_();
}

void AgentRun::finish(Answer answer) {
  if (over_) return;
  over_ = true;
  done_(std::move(answer));
}

// ---- tools the agent needs

std::map<std::string, std::string> AgentRun::arguments_of(const ToolConfig& tool) const {
  std::map<std::string, std::string> arguments;
  for (const std::string& kind : tool.needs) {
    const auto found = task_.conversation->entities.find(kind);
    if (found != task_.conversation->entities.end()) arguments[kind] = found->second.value;
  }
  return arguments;
}

void AgentRun::call_needed_tool(std::size_t index) {
  if (index >= agent_.tools.size() || agent_.tool_choice == ToolChoice::kModel) {
    return tools_done();
  }
  const ToolConfig& tool = *parts_.config.tool(agent_.tools[index]);
  const auto arguments = arguments_of(tool);
  if (arguments.size() < tool.needs.size()) {
    if (agent_.tool_choice == ToolChoice::kRequired) return ask_for(tool);
    return call_needed_tool(index + 1);
  }
  call_tool(tool.name, arguments, [index](AgentRun& self, ToolOutcome outcome) {
    self.task_.tools.push_back(std::move(outcome));
    self.call_needed_tool(index + 1);
  });
}

void AgentRun::ask_for(const ToolConfig& tool) {
  const auto arguments = arguments_of(tool);
  const auto missing = std::find_if(tool.needs.begin(), tool.needs.end(),
                                    [&](const auto& kind) { return !arguments.contains(kind); });
  places_.note("tool.ask", Json{{"tool", tool.name}, {"missing", *missing}});
  answer_.asked = *missing;
  answer_.text = tool.ask.empty() ? tr(task_.language, Text::kFlowAsk, {*missing})
                                  : tool.ask.in(task_.language);
  finish(std::move(answer_));
}

// One key for one effect, whatever an attempt before did: models may choose otherwise when a turn
// runs again. The number tells equal calls of one turn apart.
std::string AgentRun::effect_key(const std::string& tool, const Json& arguments) {
  constexpr std::size_t kHexDigits = 16;
  const std::string call = tool + " " + dump_json(arguments);
  const std::string key = task_.message_id + ":" + sha256_hex(call).substr(0, kHexDigits);
  return key + ":" + std::to_string(calls_[key]++);
}

void AgentRun::call_tool(const std::string& tool, std::map<std::string, std::string> arguments,
                         std::function<void(AgentRun&, ToolOutcome)> then) {
  if (task_.calls_left == 0) {
    ToolOutcome refused;
    refused.tool = tool;
    refused.error = "the turn's calls are spent";
    places_.note("tool.done", to_json(refused));
    return then(*this, std::move(refused));
  }
  count_call();
  const Json shown = arguments_json(arguments);
  places_.note("tool.call", Json{{"tool", tool}, {"arguments", shown}});
  ToolUse use{tool, std::move(arguments), effect_key(tool, shown), {}, std::move(then)};
  use.step = "tool" + use.key.substr(task_.message_id.size());
  answer_.tools.push_back(tool);
  if (const Json* known = receipts_.taken(use.step))
    return tool_answered(use, outcome_from_receipt(*known));
  if (!parts_.config.tool(tool)->approve) return call_when_durable(use);
  const Proposal proposal{proposal_id(use.key), tool, shown};
  propose_(proposal, [weak = weak_from_this(), use = std::move(use)](const Approval& approval) {
    const auto self = weak.lock();
    if (!self || self->over_) return;
    if (approval.state == Approval::State::kApproved) return self->call_when_durable(use);
    self->denied(use, approval);
  });
}

// The flow's own words for it, or the agent is told and finds its own.
void AgentRun::denied(const ToolUse& use, const Approval& approval) {
  const ToolConfig& tool = *parts_.config.tool(use.tool);
  ToolOutcome outcome;
  outcome.tool = tool.name;
  outcome.error = "denied by " + approval.by;
  if (!approval.note.empty()) outcome.error += ": " + approval.note;
  if (tool.approve->denied.empty()) return tool_answered(use, std::move(outcome));
  places_.note("tool.done", to_json(outcome));
  answer_.text = tool.approve->denied.in(task_.language);
  constexpr std::string_view kNote = "{note}";
  if (const std::size_t at = answer_.text.find(kNote); at != std::string::npos)
    answer_.text.replace(at, kNote.size(), approval.note);
  finish(std::move(answer_));
}

void AgentRun::call_when_durable(const ToolUse& use) {
  if (parts_.recorded) return places_.record_ends(use.step);
  receipts_.when_durable([weak = weak_from_this(), use] {
    const auto self = weak.lock();
    if (self && !self->over_) self->call_now(use);
  });
}

void AgentRun::call_now(const ToolUse& use) {
  parts_.metrics.tool_calls.add();
  parts_.tools.call(
      use.tool, use.arguments, use.key,
      on_loop(parts_.executor, shared_from_this(), [use](AgentRun& self, ToolOutcome outcome) {
        if (self.over_) return;
        if (!outcome.error.empty()) self.parts_.metrics.tool_failures.add();
        self.receipts_.store(use.step, "", receipt_json(outcome));
        self.tool_answered(use, std::move(outcome));
      }));
}

void AgentRun::tool_answered(const ToolUse& use, ToolOutcome outcome) {
  places_.note("tool.done", to_json(outcome));
  use.then(*this, std::move(outcome));
}

// Of a model or a tool.
void AgentRun::count_call() {
  ++answer_.calls;
  if (task_.calls_left > 0) --task_.calls_left;
}

void AgentRun::tools_done() {
  const bool failed =
      std::any_of(task_.tools.begin(), task_.tools.end(),
                  [](const ToolOutcome& outcome) { return !outcome.error.empty(); });
  // Without the facts a model would make some up.
  if (failed && agent_.tool_choice == ToolChoice::kRequired) {
    answer_.error = unavailable("the tool " + task_.tools.back().tool + " failed");
    answer_.text = tr(task_.language, Text::kFlowToolFailed);
    return finish(std::move(answer_));
  }
  if (lacks_grounds()) return no_draft(not_found("no entry and no tool says anything about it"));
  draft();
}

// Nothing was given that a draft could state: it would be waited for and rejected.
bool AgentRun::lacks_grounds() const {
  if (!task_.knowledge.empty() || !task_.tools.empty()) return false;
  if (agent_.tool_choice == ToolChoice::kModel && !agent_.tools.empty()) return false;
  return agent_.has_filter("grounded");
}

// ---- drafts

// Only a model can take what was said since: to others it is the next turn.
void AgentRun::at_safe_point(std::function<void(AgentRun&, bool steered)> then) {
  const bool by_model = agent_.kind == AgentKind::kModel || agent_.kind == AgentKind::kTable;
  if (!steer_ || !by_model) return then(*this, false);
  steer_([weak = weak_from_this(), then = std::move(then)](const std::string& more) {
    const auto self = weak.lock();
    if (!self || self->over_) return;
    if (!more.empty()) self->take_steering(more);
    then(*self, !more.empty());
  });
}

// After the answers of tools it is a message of its own.
void AgentRun::take_steering(const std::string& more) {
  if (task_.exchange.empty()) {
    task_.text += "\n" + more;
  } else {
    task_.exchange.push_back({Role::kUser, more, {}, {}});
  }
}

void AgentRun::draft() {
  at_safe_point([](AgentRun& self, bool) { self.make_draft(); });
}

void AgentRun::make_draft() {
  const std::int64_t left_us = deadline_us_ - parts_.clock.steady_us();
  if (left_us <= 0) return no_draft({Code::kDeadline, "the turn's time is over"});
  if (task_.exchange.empty()) ++attempt_;
  task_.deadline_ms = left_us / 1'000;
  const std::string step = receipts_.next(kDraftKind);
  const std::string asked = question();
  if (const Json* known = receipts_.taken(step, asked)) {
    Result<Draft> before = draft_from_receipt(*known);
    if (before && before->by_model) show(before->text);
    return drafted(std::move(before));
  }
  const bool by_model = agent_.kind == AgentKind::kModel || agent_.kind == AgentKind::kTable;
  if (parts_.recorded && by_model) return places_.record_ends(step);
  const auto self = shared_from_this();
  auto show =
      on_loop(parts_.executor, self, [attempt = attempt_](AgentRun& run, std::string piece) {
        if (!run.over_ && run.attempt_ == attempt) run.show(piece);
      });
  cancel_ = processor_.process(
      std::make_shared<const AgentTask>(task_),
      [show = std::move(show)](std::string_view piece) { show(std::string(piece)); },
      on_loop(parts_.executor, self, [step, asked](AgentRun& run, Result<Draft> result) {
        if (run.over_) return;
        run.keep_draft(step, asked, result);
        run.drafted(std::move(result));
      }));
}

// What of the task makes this draft another one than the draft before: the rest is the turn's.
std::string AgentRun::question() const {
  Json exchange = Json::array();
  for (const ChatTurn& turn : task_.exchange) exchange.push_back(turn.content);
  Json tools = Json::array();
  for (const ToolOutcome& outcome : task_.tools)
    tools.push_back(outcome.error.empty() ? outcome.result : Json(outcome.error));
  return digest_of(Json{{"agent", agent_.name},
                        {"attempt", attempt_},
                        {"text", task_.text},
                        {"rejection", task_.rejection},
                        {"exchange", std::move(exchange)},
                        {"tools", std::move(tools)}});
}

// What a model said. A last draft goes along with the commit, which follows at once; one that the
// turn goes on from (tools, an encoder that judges it) is worth a write of its own.
void AgentRun::keep_draft(const std::string& step, const std::string& asked,
                          const Result<Draft>& draft) {
  const bool by_model = agent_.kind == AgentKind::kModel || agent_.kind == AgentKind::kTable;
  if (!by_model) return;  // it comes out the same again
  draft_step_ = step;
  if (draft && (agent_.has_filter("relevant") || !draft->tool_calls.empty()))
    return receipts_.store(step, asked, receipt_json(draft));
  receipts_.keep(step, asked, receipt_json(draft));
}

void AgentRun::show(std::string_view piece) {
  if (!agent_.stream) return;
  note_first_text();
  stream_.text(piece);
}

void AgentRun::note_first_text() {
  if (!std::exchange(first_text_, false)) return;
  parts_.metrics.first_text_seconds.observe(
      static_cast<double>(parts_.clock.steady_us() - begin_us_) / 1e6);
}

void AgentRun::drafted(Result<Draft> result) {
  if (!result) return no_draft(std::move(result.error()));
  draft_ = std::move(*result);
  if (!draft_.report.is_null()) count_call();
  const double cost = draft_.usage.prompt_tokens * agent_.price.prompt +
                      draft_.usage.completion_tokens * agent_.price.answer;
  const auto cost_micro = static_cast<std::int64_t>(std::ceil(cost));
  answer_.cost_micro += cost_micro;
  if (task_.cost_left > 0)
    task_.cost_left = std::max<std::int64_t>(0, task_.cost_left - cost_micro);
  answer_.usage.prompt_tokens += draft_.usage.prompt_tokens;
  answer_.usage.cached_tokens += draft_.usage.cached_tokens;
  answer_.usage.completion_tokens += draft_.usage.completion_tokens;
  task_.tokens_left -= draft_.usage.prompt_tokens + draft_.usage.completion_tokens;
  if (!draft_.report.is_null()) {
    draft_.report["attempt"] = attempt_;
    places_.note("model.done", draft_.report);
  }
  answer_.input_read = draft_.input_read;
  if (!draft_.tool_calls.empty() && tool_rounds_ < kToolRoundsMax) {
    ++tool_rounds_;
    task_.exchange.push_back({Role::kAssistant, draft_.text, draft_.tool_calls, {}});
    return call_models_tools(draft_.tool_calls, 0);
  }
  if (!draft_.by_model) return accept("none");
  at_safe_point([](AgentRun& self, bool steered) {
    if (!steered) return self.judge();
    self.receipts_.store_kept(self.draft_step_);
    self.make_draft();
  });
}

void AgentRun::call_models_tools(std::vector<ToolCall> calls, std::size_t index) {
  if (index >= calls.size()) return draft();
  const ToolCall call = calls[index];
  const auto then = [calls = std::move(calls), index, call](AgentRun& self, ToolOutcome outcome) {
    const std::string content = outcome.error.empty()
                                    ? cut_utf8(dump_json(outcome.result), kNotedBytesMax)
                                    : dump_json(Json{{"error", outcome.error}});
    self.task_.exchange.push_back({Role::kTool, content, {}, call.id});
    self.task_.tools.push_back(std::move(outcome));
    self.call_models_tools(calls, index + 1);
  };
  const bool allowed =
      std::find(agent_.tools.begin(), agent_.tools.end(), call.name) != agent_.tools.end();
  if (allowed && index < kToolCallsMax) {
    return call_tool(call.name, parse_arguments(call.arguments), then);
  }
  ToolOutcome refused;
  refused.tool = cut_utf8(call.name, 80);
  refused.error = allowed ? "too many calls at once" : "there is no such tool";
  places_.note("tool.done", to_json(refused));
  then(*this, std::move(refused));
}

void AgentRun::judge() {
  FilterInput input;
  input.draft = draft_.text;
  input.question = task_.text;
  input.conversation = said_before(*task_.conversation);
  input.given = draft_.given;
  for (const ChatTurn& turn : task_.exchange) input.given += turn.content + "\n";
  input.prompt = agent_.prompt.in(task_.language);
  input.language = task_.language;
  input.tokens_max = agent_.tokens;
  input.cut_off = draft_.cut_off;
  const std::string step = receipts_.next(kFilterKind);
  const std::string asked = digest_of(draft_.text);
  if (const Json* known = receipts_.taken(step, asked))
    return judged(verdicts_from_receipt(*known));
  if (parts_.recorded) return places_.record_ends(step);
  run_filters(agent_.filters, input, parts_.understander,
              on_loop(parts_.executor, shared_from_this(),
                      [step, asked](AgentRun& self, std::vector<Verdict> verdicts) {
                        if (self.over_) return;
                        self.keep_verdicts(step, asked, verdicts);
                        self.judged(std::move(verdicts));
                      }));
}

// A draft that passed is durable with its verdict, by the commit; one that did not causes another.
void AgentRun::keep_verdicts(const std::string& step, const std::string& asked,
                             const std::vector<Verdict>& verdicts) {
  const bool passed = std::all_of(verdicts.begin(), verdicts.end(),
                                  [](const Verdict& verdict) { return verdict.passed; });
  passed ? receipts_.keep(step, asked, receipt_json(verdicts))
         : receipts_.store(step, asked, receipt_json(verdicts));
}

void AgentRun::judged(std::vector<Verdict> verdicts) {
  if (const Status own = processor_.check(task_, draft_); !own) {
    verdicts.push_back({"figures", false, own.error().message, 0});
  }
  const bool wants_person = asks_for_person(parts_.config, draft_.text);
  if (wants_person) verdicts.push_back({"person", false, "the model asks for a person", 0});
  const auto rejected = std::find_if(verdicts.begin(), verdicts.end(),
                                     [](const Verdict& verdict) { return !verdict.passed; });
  const bool passed = rejected == verdicts.end();
  Json data{{"attempt", attempt_}, {"passed", passed}, {"verdicts", to_json(verdicts)}};
  if (!passed) data["draft"] = cut_utf8(draft_.text, kNotedBytesMax);
  places_.note("filter", std::move(data));
  if (passed) return accept("passed");

  receipts_.store_kept(draft_step_);
  parts_.metrics.drafts_rejected.add();
  stream_.reset(rejected->filter + ": " + rejected->reason);
  task_.rejection = rejected->reason;
  if (wants_person) {  // without a text the flow falls back
    answer_.error = {Code::kModelFailed, rejected->reason};
    return finish(std::move(answer_));
  }
  task_.exchange.clear();
  if (++rejected_ <= agent_.retries) return draft();
  no_draft({Code::kModelFailed,
            "no draft passed the filter " + rejected->filter + ": " + rejected->reason});
}

void AgentRun::accept(std::string filter) {
  if (draft_.by_model) note_first_text();  // where it was not shown before
  answer_.text = std::move(draft_.text);
  answer_.filter = std::move(filter);
  answer_.by_model = draft_.by_model;
  answer_.game_state = std::move(draft_.game_state);
  if (!answer_.by_model) parts_.metrics.replies_without_model.add();
  finish(std::move(answer_));
}

// No model, a failed one, or nothing that passed: the agent's own words, if it has any.
void AgentRun::no_draft(Error error) {
  stream_.reset(error.message);
  places_.note("model.failed", Json{{"agent", agent_.name},
                                    {"attempt", attempt_},
                                    {"code", name_of(error.code)},
                                    {"reason", error.message}});
  if (auto plain = processor_.plain(task_)) {
    answer_.text = std::move(*plain);
    answer_.filter = "template";
    answer_.by_model = false;
    parts_.metrics.replies_without_model.add();
  }
  if (error.code == Code::kPrecondition) answer_.spent = spent_limit(error);
  answer_.error = std::move(error);
  finish(std::move(answer_));
}

}  // namespace qiao::flow
