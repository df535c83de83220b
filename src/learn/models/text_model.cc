// SPDX-License-Identifier: Apache-2.0
#include "learn/models/text_model.h"

#include "learn/models/device.h"
#include "learn/models/dropout.h"
#include "model/bundle/head_tensors.h"

namespace qiao::learn {

TextModelImpl::TextModelImpl(const EncoderShape& shape, Task task, std::int64_t labels,
                             double dropout)
    : encoder(register_module("encoder", Encoder(shape, dropout))),
      head(register_module("head", torch::nn::Linear(shape.width, labels))),
      task_(task),
      dropout_(dropout) {
  constexpr double kHeadSpread = 0.02;  // BERT's own initial spread
  const torch::NoGradGuard no_grad;
  head->weight.normal_(0, kHeadSpread);
  head->bias.zero_();
  if (task == Task::kTag) {
    transitions = register_parameter("transitions", torch::zeros({labels, labels}));
  }
  to(device());
}

TextOutput TextModelImpl::run(const torch::Tensor& ids, const torch::Tensor& present,
                              const torch::Tensor& segments, Relations* seen) {
  torch::Tensor x;
  if (task_ == Task::kTag) {
    x = encoder(ids, present, segments, seen);
  } else if (seen != nullptr) {  // the relations of all tokens are wanted
    x = pool(encoder(ids, present, segments, seen), present, encoder->shape().pooling);
  } else {
    x = encoder->vectors(ids, present, segments);
  }
  const torch::Tensor read = drop(x, dropout_, is_training());
  return {task_ == Task::kRegress ? numbers(read) : head(read), x};
}

// No matrix product: within Bfloat16Scope its three digits would be too few.
torch::Tensor TextModelImpl::numbers(const torch::Tensor& x) {
  const torch::Tensor told = (x.to(torch::kFloat) * head->weight).sum(-1, true) + head->bias;
  return told * deviation_ + mean_;
}

void TextModelImpl::set_scale(double mean, double deviation, bool keep) {
  if (keep) {
    const torch::NoGradGuard no_grad;
    head->weight.mul_(deviation_ / deviation);
    head->bias.mul_(deviation_).add_(mean_ - mean).div_(deviation);
  }
  mean_ = mean;
  deviation_ = deviation;
}

torch::Tensor TextModelImpl::forward(const torch::Tensor& ids, const torch::Tensor& present,
                                     const torch::Tensor& segments) {
  return run(ids, present, segments).scores;
}

NamedTensors weights_of(const TextModel& model) {
  NamedTensors out = weights_of(model->encoder);
  torch::Tensor weight = model->head->weight;
  torch::Tensor bias = model->head->bias;
  if (model->mean() != 0 || model->deviation() != 1) {
    weight = weight.detach() * model->deviation();
    bias = bias.detach() * model->deviation() + model->mean();
  }
  out.emplace_back(model::kHeadWeight, weight);
  out.emplace_back(model::kHeadBias, bias);
  if (model->transitions.defined()) {
    out.emplace_back(model::kHeadTransitions, model->transitions);
  }
  return out;
}

}  // namespace qiao::learn
