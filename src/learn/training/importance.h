// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "learn/evaluation/evaluate.h"
#include "learn/files/bundle.h"
#include "learn/files/language_bundle.h"

namespace qiao::learn {

inline constexpr std::size_t kJudgedRowsMax = 2048;      // labelled texts, from the beginning
inline constexpr std::size_t kJudgedStretchesMax = 256;  // of a decoder's text

// How much the loss changes, to first order, when a part is scaled down (Michel et al. 2019,
// Molchanov et al. 2019): |∂L/∂g| of a gate g = 1 on the part, in the mean over small batches. What
// a part writes is linear in the weights that write it, so the gate's gradient is Σ w·∂L/∂w over
// them. Per layer divided by its length (ℓ2), so that layers can be compared.
struct Importance {
  std::vector<std::vector<double>> heads;    // a decoder: heads that share keys and values together
  std::vector<std::vector<double>> neurons;  // of the feed-forward part
  std::vector<double> layers;                // of both parts' writing into the stream, as it is
  std::vector<double> columns;               // of the stream, by its norms; encoders only
};

// Of a bundle on the exam's rows, by task_loss(). Leaves the weights as they are and no gradients.
// `cancelled` at `stop`.
Result<Importance> importance_of(const Bundle& bundle, const Exam& exam,
                                 const std::atomic<bool>& stop);
// Of a llama-like decoder on a text. Requires: is_llama_like.
Result<Importance> importance_of(const LanguageBundle& bundle, const std::vector<std::int64_t>& ids,
                                 const std::atomic<bool>& stop);

// The `count` most important, rising; the first of equal ones.
std::vector<std::int64_t> most_important(const std::vector<double>& importance, std::size_t count);
// Of all layers together the share `kept` that is most important, at least `least` of each layer,
// each layer's number rounded up to a multiple of `step`.
std::vector<std::vector<std::int64_t>> most_important_of_all(
    const std::vector<std::vector<double>>& layers, double kept, std::size_t least,
    std::size_t step);

}  // namespace qiao::learn
