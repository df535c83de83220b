// SPDX-License-Identifier: Apache-2.0
#include "learn/models/language_shape.h"

#include <string>

namespace qiao::learn {
namespace {

constexpr std::int64_t kSideMax = 1 << 18;
constexpr std::int64_t kLayersMax = 1024;
constexpr std::int64_t kInnerStep = 32;  // a quantised row comes in blocks of 32

Status check_layers(const LanguageModelShape& shape) {
  if (!shape.is_uneven() && shape.layer_kv_heads.empty() && shape.layer_inner.empty()) return {};
  const auto layers = static_cast<std::size_t>(shape.layers);
  bool fits = shape.architecture == Architecture::kLlama && shape.layer_heads.size() == layers &&
              shape.layer_kv_heads.size() == layers && shape.layer_inner.size() == layers;
  for (std::size_t i = 0; fits && i < layers; ++i) {
    const std::int64_t heads = shape.layer_heads[i];
    const std::int64_t shared = shape.layer_kv_heads[i];
    fits = shared >= 1 && heads >= shared && heads % shared == 0 && heads <= shape.heads &&
           shape.layer_inner[i] >= 1 && shape.layer_inner[i] <= kSideMax;
  }
  return fits ? Status()
              : invalid_argument(
                    "the sizes of the single layers do not fit: a llama has as many as "
                    "layers, and heads a multiple of those of keys and values");
}

Status check_llama(const LanguageModelShape& shape) {
  if (shape.kv_heads < 1 || shape.heads % shape.kv_heads != 0) {
    return invalid_argument("the heads must be a multiple of the heads of keys and values");
  }
  if ((shape.width / shape.heads) % 2 != 0) {
    return invalid_argument("the width of a head must be even: positions turn pairs");
  }
  if (shape.inner < 1 || shape.inner > kSideMax) {
    return invalid_argument("the feed-forward width must be 1 to 262,144");
  }
  QIAO_TRY(check_layers(shape));
  const bool sane = shape.epsilon > 0 && shape.epsilon < 1 && shape.rope_base >= 1;
  return sane ? Status() : invalid_argument("the norm's epsilon or the rotary base is impossible");
}

std::vector<std::int64_t> sizes_of(const Json& json, std::string_view name) {
  std::vector<std::int64_t> sizes;
  const auto found = json.find(name);
  if (found == json.end() || !found->is_array()) return sizes;
  for (const Json& size : *found) {
    sizes.push_back(size.is_number_integer() ? size.get<std::int64_t>() : 0);
  }
  return sizes;
}

}  // namespace

std::string_view name_of(Architecture architecture) {
  switch (architecture) {
    case Architecture::kTransformer:
      return "transformer";
    case Architecture::kLlama:
      return "llama";
    case Architecture::kQwen2:
      return "qwen2";
    case Architecture::kLstm:
      return "lstm";
    case Architecture::kRnn:
      return "rnn";
  }
  return "";
}

Result<Architecture> parse_architecture(std::string_view name) {
  for (const Architecture one : kArchitectures) {
    if (name == name_of(one)) return one;
  }
  return invalid_argument("there is no architecture \"" + std::string(name) +
                          "\": transformer, llama, qwen2, lstm or rnn");
}

bool is_llama_like(Architecture architecture) {
  return architecture == Architecture::kLlama || architecture == Architecture::kQwen2;
}

bool is_decoder(Architecture architecture) {
  return architecture == Architecture::kTransformer || is_llama_like(architecture);
}

LanguageModelShape completed(LanguageModelShape shape) {
  if (!is_llama_like(shape.architecture)) return shape;
  if (shape.kv_heads == 0) shape.kv_heads = shape.heads;
  if (shape.inner == 0) {
    shape.inner = (shape.width * 8 / 3 + kInnerStep - 1) / kInnerStep * kInnerStep;
  }
  return shape;
}

Status check_shape(const LanguageModelShape& shape) {
  if (shape.layers < 1 || shape.layers > kLayersMax) {
    return invalid_argument("layers must be 1 to 1,024");
  }
  for (const std::int64_t side : {shape.width, shape.heads, shape.context, shape.vocabulary}) {
    if (side < 1 || side > kSideMax) {
      return invalid_argument("width, heads, context and vocabulary must be 1 to 262,144");
    }
  }
  if (is_decoder(shape.architecture) && shape.width % shape.heads != 0) {
    return invalid_argument("the width must be a multiple of the heads");
  }
  if (is_decoder(shape.architecture) && shape.width == shape.heads) {  // llama.cpp would abort
    return invalid_argument("a head must be at least 2 wide");
  }
  return is_llama_like(shape.architecture) ? check_llama(shape) : Status();
}

Json to_json(const LanguageModelShape& shape) {
  Json json = {{"architecture", name_of(shape.architecture)},
               {"layers", shape.layers},
               {"width", shape.width},
               {"heads", shape.heads},
               {"context", shape.context},
               {"vocabulary", shape.vocabulary}};
  if (!is_llama_like(shape.architecture)) return json;
  json["kv_heads"] = shape.kv_heads;
  json["inner"] = shape.inner;
  json["epsilon"] = shape.epsilon;
  json["rope_base"] = shape.rope_base;
  json["tied"] = shape.tied;
  if (shape.is_uneven()) {
    json["layer_heads"] = shape.layer_heads;
    json["layer_kv_heads"] = shape.layer_kv_heads;
    json["layer_inner"] = shape.layer_inner;
  }
  return json;
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
  shape.kv_heads = json_integer(json, "kv_heads").value_or(0);
  shape.inner = json_integer(json, "inner").value_or(0);
  shape.epsilon = json_number(json, "epsilon").value_or(shape.epsilon);
  shape.rope_base = json_number(json, "rope_base").value_or(shape.rope_base);
  shape.tied = json_bool(json, "tied").value_or(true);
  shape.layer_heads = sizes_of(json, "layer_heads");
  shape.layer_kv_heads = sizes_of(json, "layer_kv_heads");
  shape.layer_inner = sizes_of(json, "layer_inner");
  shape = completed(shape);
  QIAO_TRY(check_shape(shape));
  return shape;
}

}  // namespace qiao::learn
