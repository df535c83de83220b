// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/llama/token_codec.h"
#include "model/model.h"

namespace qiao::learn {

using Conversation = std::vector<ChatTurn>;

// JSON lines, perhaps gzipped: {"messages": [{"role": …, "content": …}, …]} or
// {"text": …, "answer": …}. The first bad row ends it with file, line and reason.
Result<std::vector<Conversation>> read_conversations(const std::string& path);

// Conversations as tokens.
struct TaughtTexts {
  std::vector<std::vector<model::TaughtToken>> rows;
  std::size_t cut = 0;   // longer than `tokens_max`: their ends were cut off
  std::size_t left = 0;  // of them, those that had nothing to learn before the cut: left out
};
Result<TaughtTexts> encode_conversations(const std::vector<Conversation>& conversations,
                                         const model::TokenCodec& codec, std::size_t tokens_max);

// Some rows side by side.
struct TaughtBatch {
  torch::Tensor ids;      // [rows, longest - 1], padded with 0 at the end
  torch::Tensor places;   // of the flattened ids: those whose next token is taught
  torch::Tensor targets;  // these next tokens
};
TaughtBatch make_taught_batch(const std::vector<const std::vector<model::TaughtToken>*>& rows);

}  // namespace qiao::learn
