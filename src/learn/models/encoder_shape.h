// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace qiao::learn {

// How a text's token vectors become one vector.
enum class Pooling : std::uint8_t { kCls, kMean };

// The sizes of a BERT encoder (Devlin et al. 2019). Without layers it is a table of token vectors:
// no positions, no norms, and the mean of a text's tokens as its vector.
struct EncoderShape {
  std::int64_t layers = 0;
  std::int64_t width = 0;
  std::int64_t inner = 0;  // feed-forward
  std::int64_t heads = 0;
  std::int64_t positions = 0;  // longest text in tokens
  std::int64_t types = 2;      // segments
  std::int64_t vocabulary = 0;
  double epsilon = 1e-12;  // of the layer norms
  Pooling pooling = Pooling::kCls;
  // What pruning left in each layer; empty: as above. A head stays width / heads wide.
  std::vector<std::int64_t> layer_heads;
  std::vector<std::int64_t> layer_inner;

  [[nodiscard]] bool is_table() const { return layers == 0; }
  [[nodiscard]] std::int64_t head_width() const { return width / heads; }
  [[nodiscard]] std::int64_t heads_of(std::size_t layer) const {
    return layer_heads.empty() ? heads : layer_heads[layer];
  }
  [[nodiscard]] std::int64_t inner_of(std::size_t layer) const {
    return layer_inner.empty() ? inner : layer_inner[layer];
  }
};

// `invalid_argument` with the field when the sizes make no encoder.
Status check_shape(const EncoderShape& shape);

// Hugging Face's config.json. Our own keys stand under `qiao`: pooling, layer_heads and layer_inner
// of a pruned encoder; a table has the model_type `qiao-table`. What BERT cannot express
// (relative positions, another activation) is `unsupported`.
Result<EncoderShape> shape_of_config(const Json& config);
Json config_of_shape(const EncoderShape& shape);

}  // namespace qiao::learn
