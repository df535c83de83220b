// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/model_agent.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "flow/agents/template_text.h"
#include "text/sentences.h"
#include "understand/fusion.h"

namespace qiao {
namespace {

constexpr std::int32_t kAnswerTokensMin = 16;  // a shorter answer says nothing
constexpr std::int64_t kWarmUpMs = 600'000;    // the model may still be loading, or have no rest
constexpr std::size_t kEntriesReadMax = 48;    // ahead, in each language

using Requests = std::deque<GenerateRequest>;

// One after another; the rest is left when one fails. The model may be gone before the last.
void read_all(const std::shared_ptr<Model>& model, const std::shared_ptr<Requests>& left) {
  if (left->empty()) return;
  GenerateRequest next = std::move(left->front());
  left->pop_front();
  model->generate(std::move(next), {},
                  [weak = std::weak_ptr(model), left](const Result<Generated>& read) {
                    const auto still = weak.lock();
                    if (read && still) read_all(still, left);
                  });
}

std::string_view name_of(Finish finish) {
  switch (finish) {
    case Finish::kStop:
      return "stop";
    case Finish::kLength:
      return "length";
    case Finish::kToolCalls:
      return "tool_calls";
  }
  return "stop";
}

Json to_json(const Usage& usage) {
  return Json{{"prompt_tokens", usage.prompt_tokens},
              {"cached_tokens", usage.cached_tokens},
              {"completion_tokens", usage.completion_tokens}};
}

// The text without its last, unfinished sentence, when there are finished ones.
std::string whole_sentences(const std::string& text) {
  const std::vector<std::string_view> sentences = sentences_of(text);
  if (sentences.size() < 2) return text;
  const auto end = sentences[sentences.size() - 2].data() + sentences[sentences.size() - 2].size();
  return text.substr(0, static_cast<std::size_t>(end - text.data()));
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \r\n\t");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \r\n\t") - begin + 1);
}

Draft draft_of(Generated generated, const Context& context, Json report) {
  Draft draft;
  draft.by_model = true;
  draft.input_read = context.input_read;
  draft.given = context.given;
  draft.usage = generated.usage;
  draft.text = trimmed(generated.text);
  draft.cut_off = generated.finish == Finish::kLength;
  if (draft.cut_off) {
    std::string whole = whole_sentences(draft.text);
    draft.cut_off = whole.size() == draft.text.size();
    draft.text = std::move(whole);
  }
  draft.tool_calls = std::move(generated.tool_calls);
  report["finish"] = name_of(generated.finish);
  report["usage"] = to_json(generated.usage);
  report["first_token_ms"] = generated.first_token_ms;
  report["total_ms"] = generated.total_ms;
  report["context"] = to_json(context);
  draft.report = std::move(report);
  return draft;
}

// A sentence given at once: what agents without a model say.
Processor::Cancel say(std::optional<std::string> text, const Processor::OnDraft& on_draft) {
  if (!text) {
    on_draft(not_found("nothing fills the template"));
    return {};
  }
  Draft draft;
  draft.text = std::move(*text);
  on_draft(std::move(draft));
  return {};
}

std::optional<std::string> reply_of(const AgentConfig& agent, const AgentTask& task) {
  if (agent.reply.empty()) return std::nullopt;
  return fill_template(agent.reply.in(task.language), task);
}

}  // namespace

ModelAgent::ModelAgent(const AgentConfig& agent, std::shared_ptr<Model> model, Json tools_zh,
                       Json tools_en)
    : agent_(agent),
      model_(std::move(model)),
      tools_zh_(std::move(tools_zh)),
      tools_en_(std::move(tools_en)) {
  if (model_ && model_->info().ready) estimate_ = TokenEstimate::measure(*model_);
}

Processor::Cancel ModelAgent::process(std::shared_ptr<const AgentTask> task, OnText on_text,
                                      OnDraft on_draft) {
  return generate(task, {}, std::move(on_text), std::move(on_draft));
}

Processor::Cancel ModelAgent::generate(const std::shared_ptr<const AgentTask>& task,
                                       std::string_view figures, OnText on_text, OnDraft on_draft) {
  if (model_ == nullptr) {
    on_draft(unavailable("no model is installed under the name " + agent_.model));
    return {};
  }
  if (task->calls_left == 0) {
    on_draft(Error{Code::kPrecondition, "the turn's calls of models and tools are spent"});
    return {};
  }
  const auto context = std::make_shared<Context>(build_context(*task, figures, estimate_));
  const double cost = context->tokens * agent_.price.prompt;
  if (task->cost_left == 0 ||
      (task->cost_left > 0 && cost > static_cast<double>(task->cost_left))) {
    on_draft(Error{Code::kPrecondition, "the turn's cost is spent"});
    return {};
  }
  if (task->tokens_left < context->tokens + kAnswerTokensMin) {
    on_draft(Error{Code::kPrecondition,
                   "the turn's token budget is spent: " + std::to_string(task->tokens_left) +
                       " are left, " + std::to_string(context->tokens) + " are needed"});
    return {};
  }
  // The answer may come when this agent is gone: it takes with it what it needs.
  const Json report{{"agent", agent_.name}, {"model", agent_.model}};
  const Model::RequestId request = model_->generate(
      request_of(*task, *context), std::move(on_text),
      [context, report, on_draft = std::move(on_draft)](Result<Generated> generated) {
        if (!generated) return on_draft(generated.error());
        on_draft(draft_of(std::move(*generated), *context, report));
      });
  return [model = model_, request] { model->cancel(request); };
}

GenerateRequest ModelAgent::request_of(const AgentTask& task, Context& context) const {
  GenerateRequest request;
  request.turns = std::move(context.turns);
  request.shared_turns = context.shared_turns;
  request.tokens_max = static_cast<std::int32_t>(
      std::clamp<std::int64_t>(task.tokens_left - context.tokens, 1, agent_.tokens));
  request.sampling.temperature = agent_.temperature;
  request.deadline_ms = task.deadline_ms;
  const Json& tools = tools_in(task.language);
  if (!tools.empty()) request.tools = tools;
  if (agent_.has_filter("format") && tools.empty()) request.json_schema = {{"type", "object"}};
  return request;
}

const Json& ModelAgent::tools_in(Language language) const {
  return language == Language::kChinese ? tools_zh_ : tools_en_;
}

GenerateRequest ModelAgent::beginning_of(const AgentTask& task) const {
  Context context = build_context(task, {}, estimate_);
  GenerateRequest request = request_of(task, context);
  request.turns.resize(request.shared_turns);
  request.tokens_max = 1;
  request.priority = kIdlePriority;
  return request;
}

void ModelAgent::warm_up(std::span<const KnowledgeEntry> entries) {
  if (model_ == nullptr) return;
  const std::string where = model_->info().where;
  if (where != "worker" && where != "in-process") return;
  const auto requests = std::make_shared<Requests>();
  AgentTask task;
  task.agent = &agent_;
  task.conversation = std::make_shared<Conversation>();
  task.deadline_ms = kWarmUpMs;
  const auto add = [&] {
    for (const Language language : {Language::kChinese, Language::kEnglish}) {
      task.language = language;
      requests->push_back(beginning_of(task));
    }
  };
  add();
  for (const KnowledgeEntry& entry : entries.first(std::min(entries.size(), kEntriesReadMax))) {
    task.knowledge = {{&entry, 1, {}}};
    add();
  }
  read_all(model_, requests);
}

// Who says nothing but what an entry says can say the entry, if it is more likely meant than not.
std::optional<std::string> ModelAgent::plain(const AgentTask& task) const {
  if (!agent_.knowledge_only || task.knowledge.empty()) return reply_of(agent_, task);
  const KnowledgeHit& best = task.knowledge.front();
  if (strength(best) < kEvenScore) return std::nullopt;
  return best.entry->answer.in(task.language);
}

Processor::Cancel TemplateAgent::process(std::shared_ptr<const AgentTask> task, OnText,
                                         OnDraft on_draft) {
  return say(plain(*task), on_draft);
}

std::optional<std::string> TemplateAgent::plain(const AgentTask& task) const {
  return reply_of(agent_, task);
}

Processor::Cancel KnowledgeAgent::process(std::shared_ptr<const AgentTask> task, OnText,
                                          OnDraft on_draft) {
  return say(plain(*task), on_draft);
}

std::optional<std::string> KnowledgeAgent::plain(const AgentTask& task) const {
  if (!task.knowledge.empty()) return task.knowledge.front().entry->answer.in(task.language);
  return reply_of(agent_, task);
}

}  // namespace qiao
