// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/table_agent.h"

#include "base/i18n.h"
#include "flow/agents/figures.h"

namespace qiao {
namespace {

// Said by code below what the model wrote: a model may pass over it.
std::string with_left_out(std::string text, const TableFigures& figures, Language language) {
  const std::string left_out = describe_left_out(figures, language);
  if (!left_out.empty()) text += "\n" + left_out;
  return text;
}

}  // namespace

TableAgent::TableAgent(const AgentConfig& agent, std::shared_ptr<Model> model)
    : ModelAgent(agent, std::move(model), Json(), Json()) {}

Processor::Cancel TableAgent::process(std::shared_ptr<const AgentTask> task, OnText on_text,
                                      OnDraft on_draft) {
  const auto table = parse_table(task->text);
  if (!table) {  // the model has nothing to word
    Draft draft;
    draft.text = tr(task->language, Text::kTableNone);
    on_draft(std::move(draft));
    return {};
  }
  const TableFigures figures = compute_figures(*table);
  auto completed = [figures, language = task->language,
                    on_draft = std::move(on_draft)](Result<Draft> draft) {
    if (draft) draft->text = with_left_out(std::move(draft->text), figures, language);
    on_draft(std::move(draft));
  };
  return generate(task, describe(figures, task->language), std::move(on_text),
                  std::move(completed));
}

std::optional<std::string> TableAgent::plain(const AgentTask& task) const {
  const auto table = parse_table(task.text);
  if (!table) return tr(task.language, Text::kTableNone);
  const TableFigures figures = compute_figures(*table);
  return with_left_out(describe(figures, task.language), figures, task.language);
}

Status TableAgent::check(const AgentTask& task, const Draft& draft) const {
  const auto table = parse_table(task.text);
  if (!table) return {};
  const TableFigures figures = compute_figures(*table);
  const auto unknown = unknown_number(draft.text, *table, figures, task.text);
  if (!unknown) return {};
  return invalid_argument("the number " + *unknown + " is not among the computed figures");
}

}  // namespace qiao
