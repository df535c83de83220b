// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "base/json.h"
#include "flow/agents/processor.h"
#include "flow/agents/tool_box.h"
#include "flow/config/knowledge.h"
#include "flow/turn/filter.h"
#include "message/annotations.h"

namespace qiao::flow {

// The answers of a turn's steps as data of receipts, whole. What is read back may be of an older
// version: ill-typed members are left at their defaults.

Annotations annotations_from_receipt(const Json& json);  // of to_json(annotations)

Json receipt_json(const Result<Draft>& draft);
Result<Draft> draft_from_receipt(const Json& json);

Json receipt_json(const ToolOutcome& outcome);
ToolOutcome outcome_from_receipt(const Json& json);

Json receipt_json(const std::vector<Verdict>& verdicts);
std::vector<Verdict> verdicts_from_receipt(const Json& json);

Json receipt_json(const std::vector<KnowledgeHit>& hits);
// Nothing when an entry is no longer in `config`: ask anew.
std::optional<std::vector<KnowledgeHit>> hits_from_receipt(const Json& json,
                                                           const KnowledgeConfig& config);

}  // namespace qiao::flow
