// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/model.h"

namespace qiao::model {

// How a chat model is offered tools and how it calls them: the form Qwen 2.5 and Hermes models
// were taught, with the tags below. All functions are pure.
inline constexpr std::string_view kToolCallOpen = "<tool_call>";
inline constexpr std::string_view kToolCallClose = "</tool_call>";
inline constexpr std::size_t kToolsMax = 64;
inline constexpr std::size_t kToolCallsMax = 32;  // of one answer

// Errors (invalid_argument) when `tools` is neither null nor a list of
// `{ type: function, function: { name, description, parameters } }`, with the place.
Status check_tools(const Json& tools);

// The text that offers the tools; "" when there are none. Requires: check_tools() passed.
std::string tool_offer(const Json& tools);
std::string tool_call_text(const ToolCall& call);
std::string tool_response_text(std::string_view content);

// A JSON Schema of one call of `tools`: of any of them, or of the one named `only`.
Json tool_call_schema(const Json& tools, std::string_view only);

// The calls in what a model wrote from the first <tool_call> on, or in one bare JSON object.
// `model_failed` when it is not JSON of that form or calls a tool that was not offered.
Result<std::vector<ToolCall>> parse_tool_calls(std::string_view text, const Json& tools);

}  // namespace qiao::model
