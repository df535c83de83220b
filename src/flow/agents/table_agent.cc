// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/table_agent.h"

#include "base/i18n.h"
#include "flow/agents/figures.h"

namespace qiao {

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
  const std::string figures = describe(compute_figures(*table), task->language);
  return generate(task, figures, std::move(on_text), std::move(on_draft));
}

std::optional<std::string> TableAgent::plain(const AgentTask& task) const {
  const auto table = parse_table(task.text);
  if (!table) return tr(task.language, Text::kTableNone);
  return describe(compute_figures(*table), task.language);
}

Status TableAgent::check(const AgentTask& task, const Draft& draft) const {
  const auto table = parse_table(task.text);
  if (!table) return {};
  const auto unknown = unknown_number(draft.text, *table, compute_figures(*table), task.text);
  if (!unknown) return {};
  return invalid_argument("the number " + *unknown + " is not among the computed figures");
}

}  // namespace qiao
