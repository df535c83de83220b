// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace qiao::learn {

// A word as a row of symbols, and how often it stands in the text.
struct CountedWord {
  std::vector<std::uint32_t> symbols;
  std::uint64_t count = 0;
};

// The symbol that two neighbours become.
struct Merge {
  std::uint32_t left = 0;
  std::uint32_t right = 0;
};

// Byte-pair encoding (Gage 1994; Sennrich et al. 2016): again and again the most frequent pair of
// neighbours becomes one symbol; of equally frequent ones that with the lower numbers. Merge i
// makes symbol `symbols` + i. Ends after `merges_max`, or when no pair stands twice. Deterministic.
// Memory: about 16 bytes for each symbol of `words`.
std::vector<Merge> learn_merges(std::vector<CountedWord> words, std::uint32_t symbols,
                                std::size_t merges_max);

}  // namespace qiao::learn
