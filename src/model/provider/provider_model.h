// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "model/open_model.h"

namespace qiao {

// How many exchanges with one provider run side by side at most (ModelOptions::slots, if fewer).
inline constexpr int kProviderThreadsMax = 16;
// Texts in one embeddings request; longer lists are cut into several.
inline constexpr std::size_t kProviderTextsMax = 64;

// A Model at an OpenAI-compatible provider: POST {url}/chat/completions (streamed) and
// {url}/embeddings. Uses of `options`: name, url, api_key_env, remote_name (default: name),
// encoder, slots, requests_max, context_tokens. Tries again as provider_http.h says. top_k,
// min_p and repeat_penalty are not in the protocol and are not sent; a GBNF grammar is refused.
// Errors: no URL (invalid_argument), a named but empty key variable (unauthenticated).
//
// `clock` and `metrics` must outlive the model. Do not destroy it in one of its callbacks.
Result<std::shared_ptr<Model>> open_provider(const ModelOptions& options, const Clock& clock,
                                             Metrics& metrics);

}  // namespace qiao
