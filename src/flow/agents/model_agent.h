// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "flow/agents/processor.h"
#include "flow/turn/context.h"

namespace qiao {

// Answers with a language model: one context, one generation; retries and tool calls are the
// turn's business. Without a model process() is `unavailable` and plain() the only answer.
//
// Owned by the FlowEngine. Thread-safe.
class ModelAgent : public Processor {
 public:
  ModelAgent(const AgentConfig& agent, std::shared_ptr<Model> model, Json tools_zh, Json tools_en);

  Cancel process(std::shared_ptr<const AgentTask> task, OnText on_text, OnDraft on_draft) override;
  [[nodiscard]] std::optional<std::string> plain(const AgentTask& task) const override;
  // Only models of ours keep what they have read.
  void warm_up(std::span<const KnowledgeEntry> entries) override;

 protected:
  // Generates from the task with `figures` in the context.
  Cancel generate(const std::shared_ptr<const AgentTask>& task, std::string_view figures,
                  OnText on_text, OnDraft on_draft);

 private:
  // Null: the model may call none.
  [[nodiscard]] const Json& tools_in(Language language) const;
  [[nodiscard]] GenerateRequest request_of(const AgentTask& task, Context& context) const;
  // Reads what answers to `task` begin with, and writes next to nothing.
  [[nodiscard]] GenerateRequest beginning_of(const AgentTask& task) const;

  const AgentConfig& agent_;
  const std::shared_ptr<Model> model_;  // may be null
  const Json tools_zh_;                 // null: the model may call none
  const Json tools_en_;
  TokenEstimate estimate_;
};

// Answers with its template, or with the fallback when a placeholder has no value.
class TemplateAgent final : public Processor {
 public:
  explicit TemplateAgent(const AgentConfig& agent) : agent_(agent) {}
  Cancel process(std::shared_ptr<const AgentTask> task, OnText on_text, OnDraft on_draft) override;
  [[nodiscard]] std::optional<std::string> plain(const AgentTask& task) const override;

 private:
  const AgentConfig& agent_;
};

// Answers with the best related knowledge entry, else with its template.
class KnowledgeAgent final : public Processor {
 public:
  explicit KnowledgeAgent(const AgentConfig& agent) : agent_(agent) {}
  Cancel process(std::shared_ptr<const AgentTask> task, OnText on_text, OnDraft on_draft) override;
  [[nodiscard]] std::optional<std::string> plain(const AgentTask& task) const override;

 private:
  const AgentConfig& agent_;
};

}  // namespace qiao
