// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/model.h"
#include "model/open_model.h"

namespace qiao::model {

// The bodies of frames. Reading never trusts the other side: what is not of the form is
// `corrupt`. All functions are pure.
std::string encode_options(const ModelOptions& options);
Result<ModelOptions> decode_options(std::string_view body);

std::string encode_info(const ModelInfo& info);
Result<ModelInfo> decode_info(std::string_view body);

std::string encode_request(const GenerateRequest& request);  // but its deadline
Result<GenerateRequest> decode_request(std::string_view body);

std::string encode_generated(const Generated& generated);
Result<Generated> decode_generated(std::string_view body);

std::string encode_error(const Error& error);
Error decode_error(std::string_view body);

std::string encode_texts(const std::vector<std::string>& texts);
Result<std::vector<std::string>> decode_texts(std::string_view body);

// How many (4 bytes), then each: how long (4), and the numbers as they lie in memory.
std::string encode_vectors(const Embeddings& vectors);
Result<Embeddings> decode_vectors(std::string_view body);
std::string encode_tokens(const std::vector<std::vector<std::int32_t>>& tokens);
Result<std::vector<std::vector<std::int32_t>>> decode_tokens(std::string_view body);

}  // namespace qiao::model
