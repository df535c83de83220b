// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/model.h"

namespace qiao::server {

inline constexpr std::size_t kTurnsMax = 2'048;

// POST /v1/chat/completions, read and checked.
struct ChatRequest {
  std::string model;
  std::string user;          // the caller's name for its user, "" = none
  std::string conversation;  // of a flow, "" = found from the turns before
  bool stream = false;
  bool include_usage = false;  // in a stream: a last chunk with the figures
  GenerateRequest generate;    // `turns` and everything a model is told
};

// Errors name the field: unknown keys, wrong types, what is not supported (images, audio, n > 1,
// log probabilities, penalties). Fields that change nothing here are accepted: metadata, store …
Result<ChatRequest> read_chat_request(const Json& body);

}  // namespace qiao::server
