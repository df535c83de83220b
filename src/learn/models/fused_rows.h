// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// The parts of a step that are no matrix product, each in one pass over rows of binary32 (GELU of
// bfloat16, too), forward and backward. Rows are dense unless a stride is told. Vectorised for the
// CPU at hand. Gradients of weights are added to what is there. Pure; thread-safe.
namespace qiao::learn {

// (x - mean)/√(variance + ε)·scale + shift of each row; `stats` keeps mean and 1/√… (2 a row).
struct NormWeights {
  const float* scale;
  const float* shift;
};
void norm_rows(const float* x, NormWeights weights, std::int64_t rows, std::int64_t width,
               float* out, float* stats);
// Adds to `x_gradient`.
struct NormGradients {
  float* scale;
  float* shift;
};
void norm_rows_back(const float* gradient, const float* x, const float* stats, NormWeights weights,
                    std::int64_t rows, std::int64_t width, float* x_gradient,
                    NormGradients gradients);

// x += bias, out = gelu(x) (by tanh); x stays for the way back.
void bias_gelu_rows(float* x, const float* bias, std::int64_t rows, std::int64_t width, float* out);
// gradient *= gelu'(x); adds its columns to `bias_gradient`.
void gelu_rows_back(const float* x, std::int64_t rows, std::int64_t width, float* gradient,
                    float* bias_gradient);

// The upper half of a binary32.
struct Bfloat16 {
  std::uint16_t bits;
};
// out = gelu(x) (by tanh) of each of `count` values.
void gelu_values(const float* x, std::int64_t count, float* out);
void gelu_values(const Bfloat16* x, std::int64_t count, Bfloat16* out);
// out = gradient*gelu'(x) of each.
void gelu_values_back(const float* x, const float* gradient, std::int64_t count, float* out);
void gelu_values_back(const Bfloat16* x, const Bfloat16* gradient, std::int64_t count,
                      Bfloat16* out);

// out = a + b + bias; out may be a.
void add_rows(const float* a, const float* b, const float* bias, std::int64_t rows,
              std::int64_t width, float* out);
// Adds the columns of x to `sums`.
void sum_columns(const float* x, std::int64_t rows, std::int64_t width, float* sums);

// Mean negative log-likelihood, not yet divided: Σ(log Σ exp(score) - score of the target).
// `scores` become the gradient, times `share`.
double cross_entropy_rows(float* scores, const std::int64_t* targets, std::int64_t rows,
                          std::int64_t width, float share);

// Attention of one head of one text, each token to itself and those before it.
struct HeadPlace {
  std::int64_t tokens;
  std::int64_t width;   // of the head, at most kHeadWidthMax
  std::int64_t stride;  // from a token to the next in query, key and value
  std::int64_t out_stride;
};
inline constexpr std::int64_t kHeadWidthMax = 256;
inline constexpr std::int64_t kAttentionLane = 32;  // rows of weights are padded to it
// Floats of `weights` for so many tokens, and of `scratch`.
std::int64_t attention_weights_size(std::int64_t tokens);
std::int64_t attention_scratch_size(const HeadPlace& place);

void attend(const HeadPlace& place, const float* query, const float* key, const float* value,
            float* weights, float* out, float* scratch);
// Writes the three gradients, of the strides of their values.
void attend_back(const HeadPlace& place, const float* query, const float* key, const float* value,
                 const float* weights, const float* out_gradient, float* query_gradient,
                 float* key_gradient, float* value_gradient, float* scratch);

}  // namespace qiao::learn
