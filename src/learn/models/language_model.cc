// SPDX-License-Identifier: Apache-2.0
#include "learn/models/language_model.h"

#include "learn/models/device.h"
#include "learn/models/gpt2_decoder.h"
#include "learn/models/llama_decoder.h"
#include "learn/models/recurrent.h"

namespace qiao::learn {

namespace {

std::shared_ptr<LanguageModel> make_on_cpu(const LanguageModelShape& shape, double dropout) {
  switch (shape.architecture) {
    case Architecture::kLlama:
    case Architecture::kQwen2:
      return std::make_shared<LlamaDecoder>(shape, dropout);
    case Architecture::kLstm:
      return std::make_shared<LstmModel>(shape, dropout);
    case Architecture::kRnn:
      return std::make_shared<RnnModel>(shape, dropout);
    case Architecture::kTransformer:
      break;
  }
  return std::make_shared<Gpt2Decoder>(shape, dropout);
}

}  // namespace

std::shared_ptr<LanguageModel> make_language_model(const LanguageModelShape& shape,
                                                   double dropout) {
  auto model = make_on_cpu(shape, dropout);
  model->to(device());
  return model;
}

NamedTensors weights_of(const LanguageModel& model) {
  NamedTensors out;
  for (const auto& item : model.named_parameters()) out.emplace_back(item.key(), item.value());
  return out;
}

std::int64_t count_weights(const LanguageModel& model) {
  std::int64_t count = 0;
  for (const torch::Tensor& weight : model.parameters()) count += weight.numel();
  return count;
}

}  // namespace qiao::learn
