// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "learn/files/language_bundle.h"
#include "learn/tokenizers/left_out.h"

namespace qiao::learn {

// How one stretch of a text was told, token after token.
struct StretchScore {
  std::size_t tokens = 0;  // that were told
  double loss = 0;         // the sum of their negative log-likelihoods, nats
  std::size_t right = 0;   // the likeliest token was the text's
};

// How a language model tells a text: stretches of its context, one behind the other, each token
// from those before it in its stretch.
struct TextScore {
  std::vector<StretchScore> stretches;
  std::size_t characters = 0;  // that were told
  double seconds = 0;
  LeftOut left_out;  // of the whole text
};
// `stretches_max` bounds the work, 0: all. `cancelled` when `stop` becomes true.
Result<TextScore> score_text(const LanguageBundle& bundle, std::string_view text,
                             std::size_t stretches_max, const std::atomic<bool>& stop,
                             const std::function<void(double share)>& progress = {});

// {n (tokens), loss, perplexity, bits_per_character, accuracy (of the next token), intervals:
// {perplexity}, tokens_per_second, seconds, characters, characters_left_out}
Json to_json(const TextScore& score, std::uint64_t seed);
// The first less the second over the same stretches: {difference: {loss, accuracy}, intervals}.
// Requires: as many stretches of as many tokens.
Json compare_scores(const TextScore& first, const TextScore& second, std::uint64_t seed);
bool comparable(const TextScore& first, const TextScore& second);

double perplexity(const TextScore& score);
double next_token_accuracy(const TextScore& score);

}  // namespace qiao::learn
