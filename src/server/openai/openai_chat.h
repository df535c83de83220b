// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "flow/engine.h"
#include "model/model.h"
#include "server/api/api.h"
#include "server/openai/openai_request.h"

namespace qiao::server {

// Answers a chat completion by a turn of a flow: publishes the last user turn into its input,
// follows the answer's stream, and cancels the turn when the peer goes away.
void chat_with_flow(const ApiServices& services, FlowEngine& flow, ChatRequest request,
                    Writer writer);

// Answers a chat completion by a model itself.
void chat_with_model(const ApiServices& services, const std::shared_ptr<Model>& model,
                     ChatRequest request, Writer writer);

}  // namespace qiao::server
