// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "learn/models/text_model.h"

namespace qiao::learn {

// Which parts of an encoder stay; an empty list: all. Every list rises.
struct EncoderCut {
  using Chosen = std::vector<std::int64_t>;
  Chosen layers;
  std::vector<Chosen> heads;    // of each layer that stays
  std::vector<Chosen> neurons;  // of each layer that stays
  Chosen columns;               // of the stream; a multiple of the width of a head
  Chosen pieces;                // of the word table
};

// The sizes that are left. Layers that are left alike have no sizes of their own. Requires: the cut
// fits; when columns are cut, each layer keeps the same number of heads, columns / head width.
EncoderShape shape_after(const EncoderShape& shape, const EncoderCut& cut);

// A model of those rows and columns alone, with the weights of `from`.
TextModel cut_model(const TextModel& from, Task task, const EncoderCut& cut, double dropout);

}  // namespace qiao::learn
