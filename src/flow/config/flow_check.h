// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "flow/config/faults.h"
#include "flow/config/flow_config.h"

namespace qiao::flow {

// What no part can see alone: names that must exist elsewhere in the flow, subjects, placeholders.
// May set what one part implies for another: an agent whose template shows a tool's fields
// requires that tool.
void check_flow(FlowConfig& config, const YamlNode& root, Faults& faults);

// The names in braces of a template or URL, in order: "a {b.c} {d}" → b.c, d.
std::vector<std::string> placeholders(std::string_view text);

}  // namespace qiao::flow
