// SPDX-License-Identifier: Apache-2.0
#include "learn/models/encoder_shape.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace qiao::learn {
namespace {

constexpr std::int64_t kEncoderSideMax = 1 << 20;

using Field = std::pair<const char*, std::int64_t EncoderShape::*>;
constexpr std::array<Field, 7> kFields = {{{"num_hidden_layers", &EncoderShape::layers},
                                           {"hidden_size", &EncoderShape::width},
                                           {"intermediate_size", &EncoderShape::inner},
                                           {"num_attention_heads", &EncoderShape::heads},
                                           {"max_position_embeddings", &EncoderShape::positions},
                                           {"type_vocab_size", &EncoderShape::types},
                                           {"vocab_size", &EncoderShape::vocabulary}}};

constexpr const char* kTable = "qiao-table";

// One size a layer, none larger than what all had.
Status check_layers(const char* name, const std::vector<std::int64_t>& sizes, std::int64_t layers,
                    std::int64_t most) {
  if (sizes.empty()) return {};
  const bool fits = static_cast<std::int64_t>(sizes.size()) == layers &&
                    std::all_of(sizes.begin(), sizes.end(),
                                [&](std::int64_t size) { return size >= 1 && size <= most; });
  return fits ? Status()
              : invalid_argument("config.json: qiao." + std::string(name) +
                                 " must have a number from 1 to " + std::to_string(most) +
                                 " for each layer");
}

std::vector<std::int64_t> read_sizes(const Json& own, const char* name) {
  std::vector<std::int64_t> sizes;
  const auto found = own.find(name);
  if (found == own.end() || !found->is_array()) return sizes;
  for (const Json& size : *found) {
    sizes.push_back(size.is_number_integer() ? size.get<std::int64_t>() : 0);
  }
  return sizes;
}

}  // namespace

Status check_shape(const EncoderShape& shape) {
  for (const auto& [name, field] : kFields) {
    if (field == &EncoderShape::layers && shape.is_table()) continue;
    if (shape.*field <= 0 || shape.*field > kEncoderSideMax) {
      return invalid_argument("the encoder's " + std::string(name) + " is " +
                              std::to_string(shape.*field));
    }
  }
  if (shape.width % shape.heads != 0) {
    return invalid_argument("the encoder's width " + std::to_string(shape.width) +
                            " is no multiple of its " + std::to_string(shape.heads) + " heads");
  }
  QIAO_TRY(check_layers("layer_heads", shape.layer_heads, shape.layers, shape.heads));
  QIAO_TRY(check_layers("layer_inner", shape.layer_inner, shape.layers, shape.inner));
  if (!(shape.epsilon > 0 && shape.epsilon < 1)) {
    return invalid_argument("the encoder's layer_norm_eps must be between 0 and 1");
  }
  return {};
}

Result<EncoderShape> shape_of_config(const Json& config) {
  const std::string type = json_string(config, "model_type").value_or("bert");
  if ((type != "bert" && type != kTable) ||
      !json_string(config, "hidden_act").value_or("gelu").starts_with("gelu") ||
      json_string(config, "position_embedding_type").value_or("absolute") != "absolute") {
    return Error{
        Code::kUnsupported,
        "config.json: of encoders only BERT with absolute positions and GELU can be trained, of "
        "decoders gpt2, llama and qwen2 (also from a GGUF file)"};
  }
  EncoderShape shape;
  for (const auto& [name, field] : kFields) {
    const auto value = json_integer(config, name);
    if (!value) return invalid_argument("config.json has no number " + std::string(name));
    shape.*field = *value;
  }
  if (shape.is_table() != (type == kTable)) {
    return invalid_argument("config.json: a " + type + " cannot have " +
                            std::to_string(shape.layers) + " layers");
  }
  shape.epsilon = json_number(config, "layer_norm_eps").value_or(shape.epsilon);
  const auto own = config.find("qiao");
  if (own != config.end()) {
    if (json_string(*own, "pooling") == "mean") shape.pooling = Pooling::kMean;
    shape.layer_heads = read_sizes(*own, "layer_heads");
    shape.layer_inner = read_sizes(*own, "layer_inner");
  }
  QIAO_TRY(check_shape(shape));
  return shape;
}

Json config_of_shape(const EncoderShape& shape) {
  Json config = {{"architectures", {"BertModel"}},
                 {"model_type", shape.is_table() ? kTable : "bert"},
                 {"hidden_act", "gelu"},
                 {"position_embedding_type", "absolute"},
                 {"layer_norm_eps", shape.epsilon}};
  for (const auto& [name, field] : kFields) config[name] = shape.*field;
  config["qiao"] = {{"pooling", shape.pooling == Pooling::kMean ? "mean" : "cls"}};
  if (!shape.layer_heads.empty()) config["qiao"]["layer_heads"] = shape.layer_heads;
  if (!shape.layer_inner.empty()) config["qiao"]["layer_inner"] = shape.layer_inner;
  return config;
}

}  // namespace qiao::learn
