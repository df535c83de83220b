// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "learn/models/encoder_shape.h"

namespace qiao::learn::testing {

// Two layers of two heads, eight wide: the smallest in which heads, layers and neurons differ.
inline EncoderShape tiny_encoder_shape() {
  EncoderShape shape;
  shape.layers = 2;
  shape.width = 8;
  shape.inner = 16;
  shape.heads = 2;
  shape.positions = 12;
  shape.vocabulary = 20;
  return shape;
}

}  // namespace qiao::learn::testing
