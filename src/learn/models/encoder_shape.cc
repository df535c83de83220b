// SPDX-License-Identifier: Apache-2.0
#include "learn/models/encoder_shape.h"

#include <array>
#include <utility>

namespace qiao::learn {
namespace {

constexpr std::int64_t kSideMax = 1 << 20;

using Field = std::pair<const char*, std::int64_t EncoderShape::*>;
constexpr std::array<Field, 7> kFields = {{{"num_hidden_layers", &EncoderShape::layers},
                                           {"hidden_size", &EncoderShape::width},
                                           {"intermediate_size", &EncoderShape::inner},
                                           {"num_attention_heads", &EncoderShape::heads},
                                           {"max_position_embeddings", &EncoderShape::positions},
                                           {"type_vocab_size", &EncoderShape::types},
                                           {"vocab_size", &EncoderShape::vocabulary}}};

}  // namespace

Status check_shape(const EncoderShape& shape) {
  for (const auto& [name, field] : kFields) {
    if (shape.*field <= 0 || shape.*field > kSideMax) {
      return invalid_argument("the encoder's " + std::string(name) + " is " +
                              std::to_string(shape.*field));
    }
  }
  if (shape.width % shape.heads != 0) {
    return invalid_argument("the encoder's width " + std::to_string(shape.width) +
                            " is no multiple of its " + std::to_string(shape.heads) + " heads");
  }
  if (!(shape.epsilon > 0 && shape.epsilon < 1)) {
    return invalid_argument("the encoder's layer_norm_eps must be between 0 and 1");
  }
  return {};
}

Result<EncoderShape> shape_of_config(const Json& config) {
  if (json_string(config, "model_type").value_or("bert") != "bert" ||
      !json_string(config, "hidden_act").value_or("gelu").starts_with("gelu") ||
      json_string(config, "position_embedding_type").value_or("absolute") != "absolute") {
    return Error{Code::kUnsupported,
                 "config.json: only BERT with absolute positions and GELU can be trained"};
  }
  EncoderShape shape;
  for (const auto& [name, field] : kFields) {
    const auto value = json_integer(config, name);
    if (!value) return invalid_argument("config.json has no number " + std::string(name));
    shape.*field = *value;
  }
  shape.epsilon = json_number(config, "layer_norm_eps").value_or(shape.epsilon);
  const auto own = config.find("qiao");
  if (own != config.end() && json_string(*own, "pooling") == "mean") shape.pooling = Pooling::kMean;
  QIAO_TRY(check_shape(shape));
  return shape;
}

Json config_of_shape(const EncoderShape& shape) {
  Json config = {{"architectures", {"BertModel"}},
                 {"model_type", "bert"},
                 {"hidden_act", "gelu"},
                 {"position_embedding_type", "absolute"},
                 {"layer_norm_eps", shape.epsilon}};
  for (const auto& [name, field] : kFields) config[name] = shape.*field;
  config["qiao"] = {{"pooling", shape.pooling == Pooling::kMean ? "mean" : "cls"}};
  return config;
}

}  // namespace qiao::learn
