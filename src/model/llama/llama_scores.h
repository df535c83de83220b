// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace qiao::model {

inline constexpr std::size_t kScoredTokensMax = 512;

// What llama.cpp makes of a file, with everything that is not in the file in binary32: for
// comparing an exported model with the trained one, and for measuring it. One thread at a time.
class LlamaScorer {
 public:
  // Loads the file. `adapter` is a LoRA's GGUF, or "". Blocks.
  static Result<LlamaScorer> open(const std::string& path, const std::string& adapter, int threads);
  LlamaScorer(LlamaScorer&& other) noexcept;
  ~LlamaScorer();

  // Tokens that the model was made to see at once, at most kScoredTokensMax.
  [[nodiscard]] std::size_t tokens_max() const;
  // The scores of the next token after each of `ids` (1 to tokens_max()).
  Result<std::vector<std::vector<float>>> score(const std::vector<std::int32_t>& ids);

 private:
  struct Impl;
  explicit LlamaScorer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The scores of one list of tokens.
Result<std::vector<std::vector<float>>> llama_scores(const std::string& path,
                                                     const std::string& adapter,
                                                     const std::vector<std::int32_t>& ids);

}  // namespace qiao::model
