// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace qiao::learn {

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;  // decoupled; matrices only
  double clip_norm = 1.0;      // of all gradients together
  double average = 0;          // of the running mean of the weights, kept at each step; 0: no mean
  bool fused = true;           // own loops where weights lie on the CPU; else libtorch's operators
};

// One weight and how it learns.
struct LearningWeight {
  std::string name;
  torch::Tensor tensor;
  double rate_scale = 1.0;  // times the rate of the step
};

// Adam with decoupled weight decay (Loshchilov and Hutter 2019), after clipping by the global norm,
// in one pass over each weight. A weight whose gradient is sparse (a word table) is updated in the
// rows of the batch alone, each with its own count of steps for the bias correction. With `average`
// it keeps an exponential running mean of every weight besides (Polyak and Juditsky 1992), over
// fewer steps at the beginning.
//
// One thread at a time; the same result for the same number of threads.
class AdamW {
 public:
  AdamW(std::vector<LearningWeight> weights, const AdamOptions& options);

  void zero_gradients();
  // Returns the norm before clipping. A gradient that is not finite is `model_failed`, names the
  // weight and leaves all weights as they were.
  Result<double> step(double rate);

  // What a checkpoint must keep besides the weights: two moments and a count of steps each, and the
  // mean, if there is one.
  struct Moments {
    torch::Tensor first, second, steps;  // steps: one number, or one for each row
    torch::Tensor mean;
  };
  [[nodiscard]] const std::vector<LearningWeight>& weights() const { return weights_; }
  [[nodiscard]] std::vector<Moments>& moments() { return moments_; }
  // The weights take the place of their means and the other way round; nothing without means.
  void swap_means();

 private:
  Result<double> norm_of_gradients() const;
  [[nodiscard]] bool fuses(std::size_t index) const;
  void update_by_operators(std::size_t index, double rate, double shrink);
  void update_dense(std::size_t index, double rate, double shrink);
  void update_rows(std::size_t index, double rate, double shrink);
  void update_means();

  std::vector<LearningWeight> weights_;
  std::vector<Moments> moments_;
  AdamOptions options_;
};

// While it lives the weights are their means, if the optimiser keeps any. Nothing may learn then.
class MeanWeights {
 public:
  explicit MeanWeights(AdamW& optimiser) : optimiser_(optimiser) { optimiser_.swap_means(); }
  ~MeanWeights() { optimiser_.swap_means(); }
  MeanWeights(const MeanWeights&) = delete;
  MeanWeights& operator=(const MeanWeights&) = delete;

 private:
  AdamW& optimiser_;
};

// Share of the highest rate at `step` of `steps`: linear warm-up, then a cosine down to `floor`.
double warmup_cosine(std::int64_t step, std::int64_t steps, std::int64_t warmup, double floor);

}  // namespace qiao::learn
