// SPDX-License-Identifier: Apache-2.0
#include "learn/models/masked_model.h"

#include "learn/models/device.h"
#include "learn/models/gelu.h"

namespace qiao::learn {

MaskedModelImpl::MaskedModelImpl(const EncoderShape& shape, double dropout)
    : encoder(register_module("encoder", Encoder(shape, dropout))),
      transform(register_module("transform", torch::nn::Linear(shape.width, shape.width))),
      norm(register_module(
          "norm",
          torch::nn::LayerNorm(torch::nn::LayerNormOptions({shape.width}).eps(shape.epsilon)))),
      bias(register_parameter("bias", torch::zeros(shape.vocabulary))) {
  to(device());
}

torch::Tensor MaskedModelImpl::forward(const torch::Tensor& ids, const torch::Tensor& places) {
  const torch::Tensor hidden = encoder(ids, torch::ones_like(ids, torch::kBool));
  const torch::Tensor asked = hidden.flatten(0, 1).index_select(0, places.to(hidden.device()));
  // Within Bfloat16Scope the product is bfloat16, which the norm of binary32 weights refuses.
  const torch::Tensor ready = norm(gelu_by_tanh(transform(asked)).to(norm->weight.scalar_type()));
  return torch::linear(ready, encoder->words->weight, bias);
}

void MaskedModelImpl::begin_by_chance() {
  constexpr double kBertSpread = 0.02;
  const torch::NoGradGuard no_grad;
  for (auto& item : named_parameters()) {
    torch::Tensor& weight = item.value();
    if (weight.dim() >= 2) {
      weight.normal_(0, kBertSpread);
    } else if (item.key().ends_with("bias")) {
      weight.zero_();
    }
  }
}

NamedTensors head_weights_of(const MaskedModel& model) {
  return {{"cls.predictions.transform.dense.weight", model->transform->weight},
          {"cls.predictions.transform.dense.bias", model->transform->bias},
          {"cls.predictions.transform.LayerNorm.weight", model->norm->weight},
          {"cls.predictions.transform.LayerNorm.bias", model->norm->bias},
          {"cls.predictions.bias", model->bias}};
}

NamedTensors weights_of(const MaskedModel& model) {
  NamedTensors out = weights_of(model->encoder);
  for (auto& item : head_weights_of(model)) out.push_back(std::move(item));
  return out;
}

}  // namespace qiao::learn
