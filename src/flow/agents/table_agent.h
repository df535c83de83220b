// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "flow/agents/model_agent.h"

namespace qiao {

// Reports on a CSV in the message: code computes the figures, the model words them, and a draft
// with a number that code did not compute is rejected. plain() is the report in code's own words.
//
// Owned by the FlowEngine. Thread-safe.
class TableAgent final : public ModelAgent {
 public:
  TableAgent(const AgentConfig& agent, std::shared_ptr<Model> model);

  Cancel process(std::shared_ptr<const AgentTask> task, OnText on_text, OnDraft on_draft) override;
  [[nodiscard]] std::optional<std::string> plain(const AgentTask& task) const override;
  [[nodiscard]] Status check(const AgentTask& task, const Draft& draft) const override;
};

}  // namespace qiao
