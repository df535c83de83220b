// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "base/executor.h"
#include "base/random.h"
#include "model/model.h"
#include "sim/fault_plan.h"

namespace qiao::sim {

// The language model of the simulated process: an honest answer is a function of the request, comes
// in pieces after a while, and calls a tool where one is offered and the text asks for it. Under
// faults it fails, never answers, or lies. One thread; lives as long as its process.
class SimModel final : public Model {
 public:
  SimModel(Executor& executor, Rng& rng, FaultPlan& faults)
      : executor_(executor), rng_(rng), faults_(faults) {}

  [[nodiscard]] ModelInfo info() const override;
  RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) override;
  void cancel(RequestId request) override;
  void embed(std::vector<std::string> texts, OnEmbedded on_done) override;
  Result<std::int32_t> count_tokens(std::string_view text) override;

 private:
  [[nodiscard]] Generated honest(const GenerateRequest& request) const;
  Generated lie(const GenerateRequest& request);

  Executor& executor_;
  Rng& rng_;
  FaultPlan& faults_;
  RequestId last_ = 0;
  std::map<RequestId, OnGenerated> running_;
};

}  // namespace qiao::sim
