// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/llama/llama_handles.h"
#include "model/model.h"

namespace qiao::model {

// Picks the next token of one answer: repetition penalty over the last tokens, the likeliest
// `top_k`, then grammar, top-p, min-p, temperature and chance by the seed; temperature 0 takes
// the likeliest. Looks at the whole vocabulary once and sorts only `top_k` of it; a grammar is
// tried on those first and on all others only when it allows none of them.
//
// Owned by one running answer; one thread at a time. The vocabulary must outlive it.
class TokenSampler {
 public:
  static constexpr std::size_t kCandidatesMax = 1000;  // also for top_k 0
  static constexpr std::size_t kPenaltyWindow = 64;    // tokens looked back at

  // Errors (invalid_argument): numbers out of range, a grammar that is not GBNF.
  static Result<TokenSampler> make(const llama_vocab& vocab, const Sampling& sampling,
                                   const std::string& gbnf);

  // The next token, which it also remembers. Changes `logits` (one row of the vocabulary).
  // `model_failed` when the grammar allows nothing more.
  Result<Token> pick(std::span<float> logits);

 private:
  explicit TokenSampler(const Sampling& sampling) : sampling_(sampling) {}
  void penalise(std::span<float> logits) const;
  void choose_candidates(std::span<const float> logits);
  Status apply_grammar(std::span<const float> logits);
  Token draw();
  void remember(Token token);

  Sampling sampling_;
  LlamaSampler chain_;    // null: take the likeliest
  LlamaSampler grammar_;  // may be null
  std::vector<llama_token_data> candidates_;
  std::array<Token, kPenaltyWindow> recent_{};
  std::size_t picked_ = 0;
};

// Ranges of the numbers in `sampling`; errors name the one that is wrong.
Status check_sampling(const Sampling& sampling);

}  // namespace qiao::model
