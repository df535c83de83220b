// SPDX-License-Identifier: Apache-2.0
// Compiled with sums in any order (CMakeLists.txt), which is what lets loops become vectors.
#include "learn/models/fused_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>

// One version for AVX-512, one for AVX2 and one for every x86-64. Sanitizers start after such
// choices are made.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define QIAO_VECTORS __attribute__((target_clones("arch=x86-64-v4", "arch=haswell", "default")))
#else
#define QIAO_VECTORS
#endif
#define QIAO_INLINE inline __attribute__((always_inline))

namespace qiao::learn {
namespace {

constexpr float kNormEpsilon = 1e-5F;

// e^x to about 1e-6 of itself for |x| ≤ 87, beyond that clamped: 2^n·e^r with r in ±ln2/2, a
// polynomial of degree 6 (Taylor's).
QIAO_INLINE float exp_of(float x) {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5·2^23: adding it leaves a whole number
  x = x < -87.0F ? -87.0F : x;
  x = x > 87.0F ? 87.0F : x;
  const float shifted = x * kLog2E + kRound;
  const std::int32_t n = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound);
  const float whole = static_cast<float>(n);
  const float r = (x - whole * kLn2High) - whole * kLn2Low;
  float sum = 1.0F / 720;
  sum = sum * r + 1.0F / 120;
  sum = sum * r + 1.0F / 24;
  sum = sum * r + 1.0F / 6;
  sum = sum * r + 0.5F;
  sum = sum * r + 1.0F;
  sum = sum * r + 1.0F;
  return sum * std::bit_cast<float>((n + 127) << 23);
}

// gelu(x) ≈ x·sigmoid(2·√(2/π)·(x + 0.044715·x³)), which is the form by tanh.
constexpr float kGeluTwice = 1.59576912F;
constexpr float kGeluCube = 0.044715F;

QIAO_INLINE float gelu_gate(float x) {
  return 1.0F / (1.0F + exp_of(-kGeluTwice * (x + kGeluCube * x * x * x)));
}

// gelu'(x) where gelu_gate(x) is known.
QIAO_INLINE float gelu_slope(float x, float gate) {
  const float inner = kGeluTwice * (1.0F + 3.0F * kGeluCube * x * x);
  return gate + x * gate * (1.0F - gate) * inner;
}

QIAO_INLINE float widened(float x) {
  return x;
}

QIAO_INLINE float widened(Bfloat16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16U);
}

QIAO_INLINE void narrow(float x, float& to) {
  to = x;
}

// To the nearest, of two as near to the even one.
QIAO_INLINE void narrow(float x, Bfloat16& to) {
  constexpr std::uint32_t kHalf = 0x7fff;
  constexpr std::uint16_t kNotANumber = 0x7fc0;
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (bits + kHalf + ((bits >> 16U) & 1U)) >> 16U;
  to.bits = x == x ? static_cast<std::uint16_t>(rounded) : kNotANumber;
}

template <typename Value>
QIAO_INLINE void gelu_each(const Value* x, std::int64_t count, Value* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = widened(x[i]);
    narrow(value * gelu_gate(value), out[i]);
  }
}

template <typename Value>
QIAO_INLINE void gelu_each_back(const Value* x, const Value* gradient, std::int64_t count,
                                Value* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = widened(x[i]);
    narrow(widened(gradient[i]) * gelu_slope(value, gelu_gate(value)), out[i]);
  }
}

std::int64_t padded(std::int64_t tokens) {
  return (tokens + kAttentionLane - 1) / kAttentionLane * kAttentionLane;
}

// [tokens, width] with a stride to [width, padded tokens], 0 in the padding.
QIAO_INLINE void turn(const float* from, const HeadPlace& place, float* to) {
  const std::int64_t columns = padded(place.tokens);
  for (std::int64_t d = 0; d < place.width; ++d) {
    float* row = to + d * columns;
    for (std::int64_t t = 0; t < place.tokens; ++t) row[t] = from[t * place.stride + d];
    for (std::int64_t t = place.tokens; t < columns; ++t) row[t] = 0;
  }
}

// out[s] = scale·Σ x[d]·turned[d][s] for the lanes up to that of `last`.
QIAO_INLINE void dots(const float* x, const float* turned, std::int64_t width, std::int64_t columns,
                      std::int64_t last, float scale, float* out) {
  for (std::int64_t begin = 0; begin <= last; begin += kAttentionLane) {
    float sums[kAttentionLane] = {};
    for (std::int64_t d = 0; d < width; ++d) {
      const float factor = x[d] * scale;
      const float* row = turned + d * columns + begin;
      for (std::int64_t i = 0; i < kAttentionLane; ++i) sums[i] += factor * row[i];
    }
    for (std::int64_t i = 0; i < kAttentionLane; ++i) out[begin + i] = sums[i];
  }
}

// out = Σ factors[s]·rows[s] for s ≤ last. kWidth: the width where it is known, else 0.
template <std::int64_t kWidth>
QIAO_INLINE void mix(const float* factors, const float* rows, std::int64_t stride,
                     std::int64_t last, std::int64_t told, float* out) {
  const std::int64_t width = kWidth > 0 ? kWidth : told;
  float sums[kWidth > 0 ? kWidth : kHeadWidthMax] = {};
  for (std::int64_t s = 0; s <= last; ++s) {
    const float factor = factors[s];
    const float* row = rows + s * stride;
    for (std::int64_t d = 0; d < width; ++d) sums[d] += factor * row[d];
  }
  for (std::int64_t d = 0; d < width; ++d) out[d] = sums[d];
}

QIAO_INLINE void mix_rows(const float* factors, const float* rows, std::int64_t stride,
                          std::int64_t last, std::int64_t width, float* out) {
  if (width == 32) return mix<32>(factors, rows, stride, last, width, out);
  if (width == 64) return mix<64>(factors, rows, stride, last, width, out);
  mix<0>(factors, rows, stride, last, width, out);
}

// Scores up to `last` become weights that sum to 1, what follows becomes 0.
QIAO_INLINE void soften(float* row, std::int64_t last, std::int64_t columns) {
  float greatest = row[0];
  for (std::int64_t s = 1; s <= last; ++s) greatest = row[s] > greatest ? row[s] : greatest;
  float sum = 0;
  for (std::int64_t s = 0; s <= last; ++s) {
    row[s] = exp_of(row[s] - greatest);
    sum += row[s];
  }
  const float share = 1.0F / sum;
  for (std::int64_t s = 0; s <= last; ++s) row[s] *= share;
  for (std::int64_t s = last + 1; s < columns; ++s) row[s] = 0;
}

}  // namespace

QIAO_VECTORS void norm_rows(const float* x, NormWeights weights, std::int64_t rows,
                            std::int64_t width, float* out, float* stats) {
  const float each = 1.0F / static_cast<float>(width);
  for (std::int64_t r = 0; r < rows; ++r, x += width, out += width) {
    float sum = 0;
    for (std::int64_t i = 0; i < width; ++i) sum += x[i];
    const float mean = sum * each;
    float squares = 0;
    for (std::int64_t i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const float factor = 1.0F / std::sqrt(squares * each + kNormEpsilon);
    for (std::int64_t i = 0; i < width; ++i) {
      out[i] = (x[i] - mean) * factor * weights.scale[i] + weights.shift[i];
    }
    stats[2 * r] = mean;
    stats[2 * r + 1] = factor;
  }
}

QIAO_VECTORS void norm_rows_back(const float* gradient, const float* x, const float* stats,
                                 NormWeights weights, std::int64_t rows, std::int64_t width,
                                 float* x_gradient, NormGradients gradients) {
  const float each = 1.0F / static_cast<float>(width);
  float* by_scale = gradients.scale;
  float* by_shift = gradients.shift;
  for (std::int64_t r = 0; r < rows; ++r, gradient += width, x += width, x_gradient += width) {
    const float mean = stats[2 * r];
    const float factor = stats[2 * r + 1];
    float plain = 0;
    float along = 0;
    for (std::int64_t i = 0; i < width; ++i) {
      const float normed = (x[i] - mean) * factor;
      const float scaled = gradient[i] * weights.scale[i];
      by_scale[i] += gradient[i] * normed;
      by_shift[i] += gradient[i];
      plain += scaled;
      along += scaled * normed;
    }
    plain *= each;
    along *= each;
    for (std::int64_t i = 0; i < width; ++i) {
      const float normed = (x[i] - mean) * factor;
      x_gradient[i] += factor * (gradient[i] * weights.scale[i] - plain - normed * along);
    }
  }
}

QIAO_VECTORS void bias_gelu_rows(float* x, const float* bias, std::int64_t rows, std::int64_t width,
                                 float* out) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, out += width) {
    for (std::int64_t i = 0; i < width; ++i) {
      const float value = x[i] + bias[i];
      x[i] = value;
      out[i] = value * gelu_gate(value);
    }
  }
}

QIAO_VECTORS void gelu_rows_back(const float* x, std::int64_t rows, std::int64_t width,
                                 float* gradient, float* bias_gradient) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, gradient += width) {
    for (std::int64_t i = 0; i < width; ++i) {
      const float value = x[i];
      const float back = gradient[i] * gelu_slope(value, gelu_gate(value));
      gradient[i] = back;
      bias_gradient[i] += back;
    }
  }
}

QIAO_VECTORS void gelu_values(const float* x, std::int64_t count, float* out) {
  gelu_each(x, count, out);
}

QIAO_VECTORS void gelu_values(const Bfloat16* x, std::int64_t count, Bfloat16* out) {
  gelu_each(x, count, out);
}

QIAO_VECTORS void gelu_values_back(const float* x, const float* gradient, std::int64_t count,
                                   float* out) {
  gelu_each_back(x, gradient, count, out);
}

QIAO_VECTORS void gelu_values_back(const Bfloat16* x, const Bfloat16* gradient, std::int64_t count,
                                   Bfloat16* out) {
  gelu_each_back(x, gradient, count, out);
}

QIAO_VECTORS void add_rows(const float* a, const float* b, const float* bias, std::int64_t rows,
                           std::int64_t width, float* out) {
  for (std::int64_t r = 0; r < rows; ++r, a += width, b += width, out += width) {
    for (std::int64_t i = 0; i < width; ++i) out[i] = a[i] + b[i] + bias[i];
  }
}

QIAO_VECTORS void sum_columns(const float* x, std::int64_t rows, std::int64_t width, float* sums) {
  for (std::int64_t r = 0; r < rows; ++r, x += width) {
    for (std::int64_t i = 0; i < width; ++i) sums[i] += x[i];
  }
}

QIAO_VECTORS double cross_entropy_rows(float* scores, const std::int64_t* targets,
                                       std::int64_t rows, std::int64_t width, float share) {
  double loss = 0;
  for (std::int64_t r = 0; r < rows; ++r, scores += width) {
    float greatest = scores[0];
    for (std::int64_t i = 1; i < width; ++i) greatest = scores[i] > greatest ? scores[i] : greatest;
    const double wanted = double{scores[targets[r]]} - double{greatest};
    float sum = 0;
    for (std::int64_t i = 0; i < width; ++i) {
      scores[i] = exp_of(scores[i] - greatest);
      sum += scores[i];
    }
    loss += std::log(double{sum}) - wanted;
    const float factor = share / sum;
    for (std::int64_t i = 0; i < width; ++i) scores[i] *= factor;
    scores[targets[r]] -= share;
  }
  return loss;
}

std::int64_t attention_weights_size(std::int64_t tokens) {
  return tokens * padded(tokens);
}

std::int64_t attention_scratch_size(const HeadPlace& place) {
  return (place.width + 1) * padded(place.tokens);
}

QIAO_VECTORS void attend(const HeadPlace& place, const float* query, const float* key,
                         const float* value, float* weights, float* out, float* scratch) {
  const std::int64_t columns = padded(place.tokens);
  const float scale = 1.0F / std::sqrt(static_cast<float>(place.width));
  turn(key, place, scratch);
  for (std::int64_t t = 0; t < place.tokens; ++t) {
    float* row = weights + t * columns;
    dots(query + t * place.stride, scratch, place.width, columns, t, scale, row);
    soften(row, t, columns);
    mix_rows(row, value, place.stride, t, place.width, out + t * place.out_stride);
  }
}

QIAO_VECTORS void attend_back(const HeadPlace& place, const float* query, const float* key,
                              const float* value, const float* weights, const float* out_gradient,
                              float* query_gradient, float* key_gradient, float* value_gradient,
                              float* scratch) {
  const std::int64_t columns = padded(place.tokens);
  const std::int64_t width = place.width;
  const float scale = 1.0F / std::sqrt(static_cast<float>(width));
  turn(value, place, scratch);
  float* back = scratch + width * columns;  // of one token's scores
  for (std::int64_t t = 0; t < place.tokens; ++t) {
    for (std::int64_t d = 0; d < width; ++d) key_gradient[t * place.stride + d] = 0;
    for (std::int64_t d = 0; d < width; ++d) value_gradient[t * place.stride + d] = 0;
  }
  for (std::int64_t t = 0; t < place.tokens; ++t) {
    const float* row = weights + t * columns;
    const float* given = out_gradient + t * place.out_stride;
    dots(given, scratch, width, columns, t, 1.0F, back);
    float mean = 0;
    for (std::int64_t s = 0; s <= t; ++s) mean += row[s] * back[s];
    for (std::int64_t s = 0; s <= t; ++s) back[s] = row[s] * (back[s] - mean) * scale;
    mix_rows(back, key, place.stride, t, width, query_gradient + t * place.stride);
    const float* asked = query + t * place.stride;
    for (std::int64_t s = 0; s <= t; ++s) {
      float* by_key = key_gradient + s * place.stride;
      float* by_value = value_gradient + s * place.stride;
      const float factor = back[s];
      const float weight = row[s];
      for (std::int64_t d = 0; d < width; ++d) by_key[d] += factor * asked[d];
      for (std::int64_t d = 0; d < width; ++d) by_value[d] += weight * given[d];
    }
  }
}

}  // namespace qiao::learn
