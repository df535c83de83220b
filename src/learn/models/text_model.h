// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include "learn/data/rows.h"
#include "learn/models/encoder.h"

namespace qiao::learn {

// What a model says of a batch.
struct TextOutput {
  // Before the softmax: [batch, labels], or [batch, tokens, labels] for tags; numbers [batch, 1].
  torch::Tensor scores;
  torch::Tensor vectors;  // what the head read: [batch, width], or [batch, tokens, width]
};

// An encoder with one linear head: a label for the text (or pair), or a tag for every piece; how
// tags follow each other is learnt beside them (tag_chain.h). Or a number, for which the head
// learns how many deviations it is from the mean. One thread at a time.
class TextModelImpl : public torch::nn::Module {
 public:
  TextModelImpl(const EncoderShape& shape, Task task, std::int64_t labels, double dropout);
  // `seen` as Encoder's forward() takes it.
  TextOutput run(const torch::Tensor& ids, const torch::Tensor& present,
                 const torch::Tensor& segments = {}, Relations* seen = nullptr);
  // The scores of run() alone.
  torch::Tensor forward(const torch::Tensor& ids, const torch::Tensor& present,
                        const torch::Tensor& segments = {});
  // Of the numbers to tell; 0 and 1 at first. A head that has learnt (`keep`) is changed so that it
  // tells the same as before; a new one begins at the mean. Requires: deviation > 0.
  void set_scale(double mean, double deviation, bool keep = false);
  [[nodiscard]] double mean() const { return mean_; }
  [[nodiscard]] double deviation() const { return deviation_; }

  Encoder encoder;
  torch::nn::Linear head;
  torch::Tensor transitions;  // tags only: [labels, labels], from the tag before to the one after

 private:
  torch::Tensor numbers(const torch::Tensor& x);

  Task task_;
  double dropout_;
  double mean_ = 0;
  double deviation_ = 1;
};
TORCH_MODULE(TextModel);

// Encoder and head (with the transitions of tags) by their names in a bundle's safetensors file.
// They share memory with the model, but for a head with a scale: that is folded in.
NamedTensors weights_of(const TextModel& model);

}  // namespace qiao::learn
