// SPDX-License-Identifier: Apache-2.0
#include "learn/language_model.h"

#include <cmath>

#include "learn/attention.h"

namespace qiao::learn {
namespace {

constexpr double kSpread = 0.02;  // GPT-2's initial spread

// One block of GPT-2: each part normed first, then added to its input.
class DecoderLayerImpl : public torch::nn::Module {
 public:
  DecoderLayerImpl(const LanguageModelShape& shape, double dropout)
      : heads_(shape.heads), dropout_(dropout) {
    const std::int64_t width = shape.width;
    attn_norm = register_module("attn_norm", norm(width));
    attn_qkv = register_module("attn_qkv", torch::nn::Linear(width, 3 * width));
    attn_output = register_module("attn_output", torch::nn::Linear(width, width));
    ffn_norm = register_module("ffn_norm", norm(width));
    ffn_up = register_module("ffn_up", torch::nn::Linear(width, 4 * width));
    ffn_down = register_module("ffn_down", torch::nn::Linear(4 * width, width));
    // The more layers add to the stream, the less each may add at first.
    const double residual = kSpread / std::sqrt(2.0 * double(shape.layers));
    for (auto& [linear, spread] : {std::pair{attn_qkv, kSpread},
                                   {attn_output, residual},
                                   {ffn_up, kSpread},
                                   {ffn_down, residual}}) {
      torch::nn::init::normal_(linear->weight, 0, spread);
      torch::nn::init::zeros_(linear->bias);
    }
  }

  torch::Tensor forward(torch::Tensor x, const torch::Tensor& mask) {
    const auto parts = attn_qkv(attn_norm(x)).chunk(3, -1);
    const torch::Tensor mixed =
        attention(split_heads(parts[0], heads_), split_heads(parts[1], heads_),
                  split_heads(parts[2], heads_), mask, is_training() ? dropout_ : 0);
    x = x + torch::dropout(attn_output(join_heads(mixed)), dropout_, is_training());
    const torch::Tensor fed = ffn_down(torch::gelu(ffn_up(ffn_norm(x)), "tanh"));
    return x + torch::dropout(fed, dropout_, is_training());
  }

  torch::nn::LayerNorm attn_norm{nullptr}, ffn_norm{nullptr};
  torch::nn::Linear attn_qkv{nullptr}, attn_output{nullptr}, ffn_up{nullptr}, ffn_down{nullptr};

 private:
  static torch::nn::LayerNorm norm(std::int64_t width) {
    return torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}).eps(1e-5));
  }
  std::int64_t heads_;
  double dropout_;
};
TORCH_MODULE(DecoderLayer);

// GPT-2 (Radford et al. 2019): learnt positions, the word table is also the output's.
class Transformer final : public LanguageModel {
 public:
  Transformer(const LanguageModelShape& shape, double dropout)
      : words_(register_module("token_embd", torch::nn::Embedding(shape.vocabulary, shape.width))),
        positions_(
            register_module("position_embd", torch::nn::Embedding(shape.context, shape.width))),
        layers_(register_module("blk", torch::nn::ModuleList())),
        norm_(register_module("output_norm",
                              torch::nn::LayerNorm(torch::nn::LayerNormOptions({shape.width})))),
        mask_(causal_mask(shape.context)),
        dropout_(dropout) {
    torch::nn::init::normal_(words_->weight, 0, kSpread);
    torch::nn::init::normal_(positions_->weight, 0, kSpread);
    for (std::int64_t i = 0; i < shape.layers; ++i)
      layers_->push_back(DecoderLayer(shape, dropout));
  }

  torch::Tensor forward(const torch::Tensor& ids) override {
    const std::int64_t tokens = ids.size(1);
    torch::Tensor x = words_(ids) + positions_->weight.narrow(0, 0, tokens);
    x = torch::dropout(x, dropout_, is_training());
    const torch::Tensor mask = mask_.narrow(2, 0, tokens).narrow(3, 0, tokens);
    for (const auto& layer : *layers_) x = layer->as<DecoderLayer>()->forward(x, mask);
    return torch::linear(norm_(x), words_->weight);
  }

 private:
  torch::nn::Embedding words_, positions_;
  torch::nn::ModuleList layers_;
  torch::nn::LayerNorm norm_;
  torch::Tensor mask_;
  double dropout_;
};

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

  torch::Tensor forward(const torch::Tensor& ids) override {
    return output_(std::get<0>(net_(words_(ids))));
  }

 private:
  torch::nn::Embedding words_;
  Net net_;
  torch::nn::Linear output_;
};

using LstmModel = Recurrent<torch::nn::LSTM, torch::nn::LSTMOptions>;
using RnnModel = Recurrent<torch::nn::RNN, torch::nn::RNNOptions>;

}  // namespace

std::string_view name_of(Architecture architecture) {
  switch (architecture) {
    case Architecture::kTransformer:
      return "transformer";
    case Architecture::kLstm:
      return "lstm";
    case Architecture::kRnn:
      return "rnn";
  }
  return "";
}

Result<Architecture> parse_architecture(std::string_view name) {
  for (const Architecture one :
       {Architecture::kTransformer, Architecture::kLstm, Architecture::kRnn}) {
    if (name == name_of(one)) return one;
  }
  return invalid_argument("there is no architecture \"" + std::string(name) +
                          "\": transformer, lstm or rnn");
}

Status check_shape(const LanguageModelShape& shape) {
  constexpr std::int64_t kSideMax = 1 << 16;
  for (const std::int64_t side :
       {shape.layers, shape.width, shape.heads, shape.context, shape.vocabulary}) {
    if (side < 1 || side > kSideMax) {
      return invalid_argument("layers, width, heads, context and vocabulary must be 1 to 65,536");
    }
  }
  if (shape.architecture == Architecture::kTransformer && shape.width % shape.heads != 0) {
    return invalid_argument("the width must be a multiple of the heads");
  }
  return {};
}

Json to_json(const LanguageModelShape& shape) {
  return {{"architecture", name_of(shape.architecture)},
          {"layers", shape.layers},
          {"width", shape.width},
          {"heads", shape.heads},
          {"context", shape.context},
          {"vocabulary", shape.vocabulary}};
}

Result<LanguageModelShape> language_shape_of(const Json& json) {
  LanguageModelShape shape;
  QIAO_ASSIGN(shape.architecture,
              parse_architecture(json_string(json, "architecture").value_or("")));
  shape.layers = json_integer(json, "layers").value_or(0);
  shape.width = json_integer(json, "width").value_or(0);
  shape.heads = json_integer(json, "heads").value_or(0);
  shape.context = json_integer(json, "context").value_or(0);
  shape.vocabulary = json_integer(json, "vocabulary").value_or(0);
  QIAO_TRY(check_shape(shape));
  return shape;
}

std::shared_ptr<LanguageModel> make_language_model(const LanguageModelShape& shape,
                                                   double dropout) {
  switch (shape.architecture) {
    case Architecture::kLstm:
      return std::make_shared<LstmModel>(shape, dropout);
    case Architecture::kRnn:
      return std::make_shared<RnnModel>(shape, dropout);
    case Architecture::kTransformer:
      break;
  }
  return std::make_shared<Transformer>(shape, dropout);
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
