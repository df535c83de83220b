// SPDX-License-Identifier: Apache-2.0
#include "model/convert/convert_bert.h"

#include <algorithm>
#include <utility>

#include "base/disk.h"
#include "base/json.h"
#include "model/convert/convert_onnx.h"
#include "model/convert/convert_safetensors.h"
#include "model/convert/convert_vocabulary.h"
#include "model/gguf/gguf_writer.h"
#include "model/gguf/int8_rows.h"

namespace qiao::model {
namespace {

constexpr std::int64_t kLayersMax = 128;
constexpr std::uint32_t kFileTypeFull = 0;  // GGUF general.file_type: all F32
constexpr std::uint32_t kFileTypeHalf = 1;  // mostly F16
constexpr std::uint32_t kFileTypeInt8 = 7;  // mostly Q8_0
constexpr std::uint32_t kPoolingMean = 1;
constexpr std::uint32_t kPoolingCls = 2;

struct Shape {
  std::int64_t layers = 0;
  std::int64_t width = 0;
  std::int64_t inner = 0;      // feed-forward
  std::int64_t positions = 0;  // longest text in tokens
  std::int64_t types = 0;      // segments
  std::int64_t heads = 0;
  double epsilon = 0;
};

// One tensor to write: where it comes from and where it goes. The GGUF's shape may be larger than
// that in the file: what was pruned is filled up with zeros.
struct Row {
  std::string gguf;
  std::string source;
  std::vector<std::int64_t> shape;  // in the GGUF
  std::vector<std::int64_t> own;    // in the file
  bool half = false;
};

Error unsupported(std::string message) {
  return {Code::kUnsupported, std::move(message)};
}

std::string layer_name(std::int64_t layer, std::string_view rest) {
  return "encoder.layer." + std::to_string(layer) + "." + std::string(rest);
}

Result<std::vector<std::int64_t>> shape_of(WeightFile& weights, const std::string& name,
                                           std::size_t sides) {
  QIAO_ASSIGN(const Tensor tensor, weights.read(name));
  if (tensor.shape.size() != sides) {
    return Error{Code::kCorrupt, "tensor " + name + " has not " + std::to_string(sides) + " sides"};
  }
  return tensor.shape;
}

// Whether llama.cpp's BERT graph is what the config asks for.
Status check_config(const Json& config, const std::string& path) {
  struct Fixed {
    const char* key;
    const char* value;  // the only one; also where the key is missing
  };
  for (const auto& [key, value] : {Fixed{"model_type", "bert"},
                                   {"hidden_act", "gelu"},
                                   {"position_embedding_type", "absolute"}}) {
    const std::string found = json_string(config, key).value_or(value);
    if (found == value) continue;
    return unsupported(path + ": " + key + " is \"" + found + "\", and only \"" + value +
                       "\" is converted");
  }
  return {};
}

// Heads and epsilon: from config.json, else from the hints.
Status read_config(const std::string& path, const ConvertHints& hints, Shape& shape) {
  shape.heads = hints.attention_heads;
  shape.epsilon = hints.norm_epsilon;
  if (!path.empty()) {
    QIAO_ASSIGN(const std::string text, read_file(path));
    const Result<Json> parsed = parse_json(text);
    if (!parsed) return Error(parsed.error()).with(path);
    const Json& config = *parsed;
    QIAO_TRY(check_config(config, path));
    if (shape.heads == 0) shape.heads = json_integer(config, "num_attention_heads").value_or(0);
    if (shape.epsilon == 0) shape.epsilon = json_number(config, "layer_norm_eps").value_or(0);
  }
  if (shape.heads <= 0 || shape.heads > 1024 || shape.epsilon <= 0 || shape.epsilon > 1) {
    return invalid_argument(
        "the number of attention heads or the norm's epsilon is not known: "
        "config.json must give num_attention_heads and layer_norm_eps");
  }
  return {};
}

// The rest of the shape, of which the config has given a part.
Status find_shape(WeightFile& weights, std::size_t pieces, Shape& shape) {
  QIAO_ASSIGN(const auto words, shape_of(weights, "embeddings.word_embeddings.weight", 2));
  QIAO_ASSIGN(const auto places, shape_of(weights, "embeddings.position_embeddings.weight", 2));
  QIAO_ASSIGN(const auto types, shape_of(weights, "embeddings.token_type_embeddings.weight", 2));
  shape.width = words[1];
  shape.positions = places[0];
  shape.types = types[0];
  while (weights.has(layer_name(shape.layers, "output.dense.weight"))) {
    QIAO_ASSIGN(const auto inner,
                shape_of(weights, layer_name(shape.layers, "intermediate.dense.weight"), 2));
    shape.inner = std::max(shape.inner, inner[0]);
    if (++shape.layers > kLayersMax) return unsupported("the encoder has too many layers");
  }
  if (shape.layers == 0) return Error{Code::kCorrupt, "the encoder has no layer"};
  if (words[0] != static_cast<std::int64_t>(pieces)) {
    return Error{Code::kCorrupt, "the tokenizer has " + std::to_string(pieces) +
                                     " pieces, the model " + std::to_string(words[0]) +
                                     ": they do not belong together"};
  }
  if (shape.width % shape.heads != 0) {
    return invalid_argument("the model's width " + std::to_string(shape.width) +
                            " is no multiple of its " + std::to_string(shape.heads) + " heads");
  }
  return {};
}

void add_pair(std::vector<Row>& rows, const std::string& gguf, const std::string& source,
              const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& own) {
  rows.push_back({gguf + ".weight", source + ".weight", shape, own, shape.size() == 2});
  rows.push_back({gguf + ".bias", source + ".bias", {shape[0]}, {own[0]}, false});
}

// The rows of a layer, each part as wide as the layer's own heads and neurons.
Status plan_layer(WeightFile& weights, const Shape& shape, std::int64_t layer,
                  std::vector<Row>& rows) {
  QIAO_ASSIGN(const auto query,
              shape_of(weights, layer_name(layer, "attention.self.query.weight"), 2));
  QIAO_ASSIGN(const auto up, shape_of(weights, layer_name(layer, "intermediate.dense.weight"), 2));
  const std::int64_t width = shape.width;
  const std::int64_t mixed = std::min(query[0], width);
  const std::int64_t inner = up[0];
  struct Part {
    std::string_view gguf;
    std::string_view source;
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> own;
  };
  const Part parts[] = {
      {"attn_q", "attention.self.query", {width, width}, {mixed, width}},
      {"attn_k", "attention.self.key", {width, width}, {mixed, width}},
      {"attn_v", "attention.self.value", {width, width}, {mixed, width}},
      {"attn_output", "attention.output.dense", {width, width}, {width, mixed}},
      {"attn_output_norm", "attention.output.LayerNorm", {width}, {width}},
      {"ffn_up", "intermediate.dense", {shape.inner, width}, {inner, width}},
      {"ffn_down", "output.dense", {width, shape.inner}, {width, inner}},
      {"layer_output_norm", "output.LayerNorm", {width}, {width}},
  };
  for (const Part& part : parts) {
    const std::string gguf = "blk." + std::to_string(layer) + "." + std::string(part.gguf);
    add_pair(rows, gguf, layer_name(layer, part.source), part.shape, part.own);
  }
  return {};
}

Result<std::vector<Row>> plan(WeightFile& weights, const Shape& shape, std::int64_t pieces) {
  const std::int64_t width = shape.width;
  std::vector<Row> rows;
  const auto add = [&](const char* gguf, const std::string& source, std::int64_t height,
                       bool half) {
    rows.push_back({gguf, "embeddings." + source, {height, width}, {height, width}, half});
  };
  add("token_embd.weight", "word_embeddings.weight", pieces, true);
  add("position_embd.weight", "position_embeddings.weight", shape.positions, false);
  add("token_types.weight", "token_type_embeddings.weight", shape.types, false);
  add_pair(rows, "token_embd_norm", "embeddings.LayerNorm", {width}, {width});
  for (std::int64_t layer = 0; layer < shape.layers; ++layer) {
    QIAO_TRY(plan_layer(weights, shape, layer, rows));
  }
  return rows;
}

void set_shape_keys(GgufWriter& gguf, const Shape& shape, std::uint32_t pooling,
                    const std::string& name) {
  const auto number = [](std::int64_t value) { return static_cast<std::uint32_t>(value); };
  gguf.set("general.architecture", "bert");
  gguf.set("general.name", name);
  gguf.set("general.file_type", kFileTypeHalf);
  gguf.set("bert.context_length", number(shape.positions));
  gguf.set("bert.embedding_length", number(shape.width));
  gguf.set("bert.block_count", number(shape.layers));
  gguf.set("bert.feed_forward_length", number(shape.inner));
  gguf.set("bert.attention.head_count", number(shape.heads));
  gguf.set("bert.attention.layer_norm_epsilon", static_cast<float>(shape.epsilon));
  gguf.set("bert.attention.causal", false);
  gguf.set("bert.pooling_type", pooling);
}

void set_vocabulary_keys(GgufWriter& gguf, const Vocabulary& vocabulary, std::int64_t types) {
  const auto id = [&](const std::string& key, std::int32_t value) {
    if (value >= 0) gguf.set("tokenizer.ggml." + key, static_cast<std::uint32_t>(value));
  };
  gguf.set("tokenizer.ggml.model", "bert");
  gguf.set("tokenizer.ggml.pre", "default");
  gguf.set("tokenizer.ggml.tokens", vocabulary.pieces);
  gguf.set("tokenizer.ggml.token_type", vocabulary.kinds);
  gguf.set("tokenizer.ggml.token_type_count", static_cast<std::uint32_t>(types));
  id("padding_token_id", vocabulary.pad);
  id("unknown_token_id", vocabulary.unknown);
  id("cls_token_id", vocabulary.cls);
  id("bos_token_id", vocabulary.cls);
  id("seperator_token_id", vocabulary.separator);  // spelt so by GGUF
  id("mask_token_id", vocabulary.mask);
  gguf.set("tokenizer.ggml.normalizer.lowercase", vocabulary.lowercase);
  gguf.set("tokenizer.ggml.normalizer.strip_accents", vocabulary.strip_accents);
}

Result<std::unique_ptr<WeightFile>> open_weights(const BertFiles& files) {
  if (files.format == "bert-onnx") return open_onnx(files.weights);
  if (files.format == "bert-safetensors") return open_safetensors(files.weights);
  return unsupported("no conversion from " + files.format);
}

// llama.cpp's BERT has one width for all layers and as many heads as it says. What pruning took
// away comes back as zeros: a head without values and a neuron that nothing reads change nothing.
std::vector<float> padded(const std::vector<float>& values, const Row& row) {
  const auto own = static_cast<std::size_t>(row.own.back());
  const auto wide = static_cast<std::size_t>(row.shape.back());
  const auto height = row.shape.size() == 2 ? static_cast<std::size_t>(row.shape[0]) : 1;
  std::vector<float> out(height * wide, 0);
  for (std::size_t i = 0; i * own < values.size(); ++i) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i * own);
    std::copy_n(begin, own, out.begin() + static_cast<std::ptrdiff_t>(i * wide));
  }
  return out;
}

Result<std::vector<float>> read_row(WeightFile& weights, const Row& row) {
  QIAO_ASSIGN(Tensor tensor, weights.read(row.source));
  if (tensor.shape != row.own) {
    return Error{Code::kCorrupt, "tensor " + row.source + " has another shape than the others"};
  }
  return row.own == row.shape ? std::move(tensor.values) : padded(tensor.values, row);
}

}  // namespace

Status convert_bert(const BertFiles& files, const ConvertHints& hints, const std::string& name,
                    const std::string& gguf_path,
                    const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                    std::stop_token stop) {
  if (hints.pooling != "cls" && hints.pooling != "mean") {
    return invalid_argument("pooling must be cls or mean, not \"" + hints.pooling + "\"");
  }
  Shape shape;
  QIAO_TRY(read_config(files.config, hints, shape));  // first: it names what this is
  QIAO_ASSIGN(const Vocabulary vocabulary, read_vocabulary(files.tokenizer, hints.lowercase));
  QIAO_ASSIGN(const std::unique_ptr<WeightFile> weights, open_weights(files));
  QIAO_TRY(find_shape(*weights, vocabulary.pieces.size(), shape));

  GgufWriter gguf;
  set_shape_keys(gguf, shape, hints.pooling == "cls" ? kPoolingCls : kPoolingMean, name);
  set_vocabulary_keys(gguf, vocabulary, shape.types);
  QIAO_ASSIGN(const std::vector<Row> rows,
              plan(*weights, shape, static_cast<std::int64_t>(vocabulary.pieces.size())));
  if (hints.full) gguf.set("general.file_type", kFileTypeFull);
  if (!hints.licence.empty()) gguf.set("general.license", hints.licence);
  for (const Row& row : rows) {
    const bool half = row.half && !hints.full;
    const bool blocks = row.shape.back() % static_cast<std::int64_t>(kQ8Block) == 0;
    if (half && blocks && weights->is_int8(row.source)) {
      QIAO_TRY(gguf.add_int8_tensor(row.gguf, row.shape));
      gguf.set("general.file_type", kFileTypeInt8);
    } else {
      QIAO_TRY(gguf.add_tensor(row.gguf, row.shape, half));
    }
  }
  return gguf.write(gguf_path, [&](std::size_t i) -> Result<std::vector<float>> {
    if (stop.stop_requested()) return Error{Code::kCancelled, "the conversion was stopped"};
    if (progress) progress(i + 1, rows.size());
    return read_row(*weights, rows[i]);
  });
}

}  // namespace qiao::model
