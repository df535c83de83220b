// SPDX-License-Identifier: Apache-2.0
#include "learn/data/text_blocks.h"

#include <vector>

#include "base/random.h"

namespace qiao::learn {
namespace {

Blocks blocks_at(const TokenRow& tokens, const std::vector<std::size_t>& places,
                 std::int64_t length) {
  const auto count = static_cast<std::size_t>(length);
  const auto rows = static_cast<std::int64_t>(places.size());
  Blocks blocks{torch::empty({rows, length}, torch::kLong),
                torch::empty({rows, length}, torch::kLong)};
  std::int64_t* ids = blocks.ids.data_ptr<std::int64_t>();
  std::int64_t* targets = blocks.targets.data_ptr<std::int64_t>();
  for (const std::size_t place : places) {
    tokens.copy(place, count, ids);
    tokens.copy(place + 1, count, targets);
    ids += length;
    targets += length;
  }
  return blocks;
}

}  // namespace

Blocks random_blocks(const TokenRow& tokens, std::int64_t batch, std::int64_t length,
                     std::uint64_t seed) {
  Rng rng(seed);
  std::vector<std::size_t> places;
  const std::uint64_t room = tokens.size() - static_cast<std::size_t>(length);
  for (std::int64_t i = 0; i < batch; ++i) places.push_back(rng.below(room));
  return blocks_at(tokens, places, length);
}

Blocks next_blocks(const TokenRow& tokens, std::int64_t batch, std::int64_t length,
                   std::size_t first) {
  std::vector<std::size_t> places;
  const auto step = static_cast<std::size_t>(length);
  for (std::size_t at = first; at + step < tokens.size(); at += step) {
    if (static_cast<std::int64_t>(places.size()) == batch) break;
    places.push_back(at);
  }
  return blocks_at(tokens, places, length);
}

}  // namespace qiao::learn
