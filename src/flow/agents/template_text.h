// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "flow/agents/processor.h"

namespace qiao {

// `text` with {TOOL.FIELD}, {knowledge} and {entity.KIND} filled in from the task. Nothing when
// one of them is not there: a sentence with a hole is worse than another sentence. Pure.
std::optional<std::string> fill_template(std::string_view text, const AgentTask& task);

}  // namespace qiao
