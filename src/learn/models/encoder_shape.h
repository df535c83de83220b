// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace qiao::learn {

// How a text's token vectors become one vector.
enum class Pooling : std::uint8_t { kCls, kMean };

// The sizes of a BERT encoder (Devlin et al. 2019).
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
};

// `invalid_argument` with the field when the sizes make no encoder.
Status check_shape(const EncoderShape& shape);

// Hugging Face's config.json. Our own keys stand under `qiao`: pooling. What BERT cannot express
// (relative positions, another activation) is `unsupported`.
Result<EncoderShape> shape_of_config(const Json& config);
Json config_of_shape(const EncoderShape& shape);

}  // namespace qiao::learn
