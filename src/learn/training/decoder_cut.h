// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "learn/files/language_bundle.h"

namespace qiao::learn {

// Which parts of a llama-like decoder stay; an empty list: all. Every list rises.
struct DecoderCut {
  using Chosen = std::vector<std::int64_t>;
  Chosen layers;
  std::vector<Chosen> groups;   // of each layer that stays: keys and values with their queries
  std::vector<Chosen> neurons;  // of each layer that stays
};

// A decoder of those rows and columns alone, with the weights and the tokenizer of `from`; its card
// is empty. Layers that are left alike, with all their heads, have no sizes of their own.
// Requires: the cut fits; groups, and neurons that differ in number, of a llama alone.
LanguageBundle cut_decoder(const LanguageBundle& from, const DecoderCut& cut);

}  // namespace qiao::learn
