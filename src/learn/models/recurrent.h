// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "learn/models/language_model.h"

namespace qiao::learn {

// A recurrent language model; `Net` is torch::nn::LSTM or torch::nn::RNN.
template <class Net, class Options>
class Recurrent final : public LanguageModel {
 public:
  Recurrent(const LanguageModelShape& shape, double dropout)
      : words_(register_module("token_embd", torch::nn::Embedding(shape.vocabulary, shape.width))),
        net_(register_module("net", Net(Options(shape.width, shape.width)
                                            .num_layers(shape.layers)
                                            .dropout(shape.layers > 1 ? dropout : 0)
                                            .batch_first(true)))),
        output_(register_module("output", torch::nn::Linear(shape.width, shape.vocabulary))) {}

  torch::Tensor hidden(const torch::Tensor& ids) override {
    return std::get<0>(net_(words_(ids.to(words_->weight.device()))));
  }
  torch::Tensor scores(const torch::Tensor& hidden) override { return output_(hidden); }

 private:
  torch::nn::Embedding words_;
  Net net_;
  torch::nn::Linear output_;
};

using LstmModel = Recurrent<torch::nn::LSTM, torch::nn::LSTMOptions>;
using RnnModel = Recurrent<torch::nn::RNN, torch::nn::RNNOptions>;

}  // namespace qiao::learn
