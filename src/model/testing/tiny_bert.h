// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace qiao::testing {

// A BERT of 1 layer, width 8, 2 heads, inner 16, 12 positions, 2 segments and 7 pieces, with
// values that tell their place: value i of tensor number t is t + i / 1000.
struct TinyTensor {
  std::string name;
  std::vector<std::int64_t> shape;  // as PyTorch has it
  std::vector<float> values;
};

inline std::vector<TinyTensor> tiny_bert() {
  const std::pair<const char*, std::vector<std::int64_t>> shapes[] = {
      {"embeddings.word_embeddings.weight", {7, 8}},
      {"embeddings.position_embeddings.weight", {12, 8}},
      {"embeddings.token_type_embeddings.weight", {2, 8}},
      {"embeddings.LayerNorm.weight", {8}},
      {"embeddings.LayerNorm.bias", {8}},
      {"encoder.layer.0.attention.self.query.weight", {8, 8}},
      {"encoder.layer.0.attention.self.query.bias", {8}},
      {"encoder.layer.0.attention.self.key.weight", {8, 8}},
      {"encoder.layer.0.attention.self.key.bias", {8}},
      {"encoder.layer.0.attention.self.value.weight", {8, 8}},
      {"encoder.layer.0.attention.self.value.bias", {8}},
      {"encoder.layer.0.attention.output.dense.weight", {8, 8}},
      {"encoder.layer.0.attention.output.dense.bias", {8}},
      {"encoder.layer.0.attention.output.LayerNorm.weight", {8}},
      {"encoder.layer.0.attention.output.LayerNorm.bias", {8}},
      {"encoder.layer.0.intermediate.dense.weight", {16, 8}},
      {"encoder.layer.0.intermediate.dense.bias", {16}},
      {"encoder.layer.0.output.dense.weight", {8, 16}},
      {"encoder.layer.0.output.dense.bias", {8}},
      {"encoder.layer.0.output.LayerNorm.weight", {8}},
      {"encoder.layer.0.output.LayerNorm.bias", {8}},
  };
  std::vector<TinyTensor> tensors;
  for (const auto& [name, shape] : shapes) {
    std::int64_t count = 1;
    for (const std::int64_t side : shape) count *= side;
    TinyTensor tensor{name, shape, {}};
    for (std::int64_t i = 0; i < count; ++i) {
      tensor.values.push_back(static_cast<float>(tensors.size()) + static_cast<float>(i) / 1000);
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

inline std::string bytes_of(const std::vector<float>& values) {
  std::string bytes(values.size() * 4, '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline std::string tiny_safetensors(const std::vector<TinyTensor>& tensors) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  std::string data;
  for (const TinyTensor& tensor : tensors) {
    const std::string bytes = bytes_of(tensor.values);
    header["bert." + tensor.name] = {{"dtype", "F32"},
                                     {"shape", tensor.shape},
                                     {"data_offsets", {data.size(), data.size() + bytes.size()}}};
    data += bytes;
  }
  const std::string text = dump_json(header);
  const std::uint64_t size = text.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &size, 8);
  return file + text + data;
}

// protobuf, by hand.
inline std::string proto_varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7U) out += static_cast<char>((value & 0x7FU) | 0x80U);
  return out + static_cast<char>(value);
}
inline std::string proto_number(std::uint32_t field, std::uint64_t value) {
  return proto_varint(field << 3U) + proto_varint(value);
}
inline std::string proto_bytes(std::uint32_t field, const std::string& bytes) {
  return proto_varint((field << 3U) | 2U) + proto_varint(bytes.size()) + bytes;
}

inline std::string onnx_tensor(const std::string& name, const std::vector<std::int64_t>& shape,
                               const std::vector<float>& values) {
  std::string out;
  for (const std::int64_t side : shape) out += proto_number(1, static_cast<std::uint64_t>(side));
  return out + proto_number(2, 1) + proto_bytes(8, name) + proto_bytes(9, bytes_of(values));
}

inline std::string onnx_node(const std::string& op, const std::string& a, const std::string& b,
                             const std::string& out) {
  return proto_bytes(1, a) + proto_bytes(1, b) + proto_bytes(2, out) + proto_bytes(4, op);
}

// As exporters write it: a linear layer's weight is nameless and transposed, and a MatMul reads it.
inline std::string tiny_onnx(const std::vector<TinyTensor>& tensors) {
  std::string graph;
  for (const TinyTensor& tensor : tensors) {
    const bool linear = tensor.shape.size() == 2 && tensor.name.starts_with("encoder.");
    if (!linear) {
      graph += proto_bytes(5, onnx_tensor(tensor.name, tensor.shape, tensor.values));
      continue;
    }
    const auto rows = static_cast<std::size_t>(tensor.shape[0]);
    const auto columns = static_cast<std::size_t>(tensor.shape[1]);
    std::vector<float> turned(tensor.values.size());
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) {
        turned[c * rows + r] = tensor.values[r * columns + c];
      }
    }
    const std::string nameless = "onnx::MatMul_" + std::to_string(graph.size());
    const std::string bias = tensor.name.substr(0, tensor.name.rfind('.')) + ".bias";
    graph += proto_bytes(5, onnx_tensor(nameless, {tensor.shape[1], tensor.shape[0]}, turned));
    graph += proto_bytes(1, onnx_node("MatMul", "x", nameless, nameless + "_out"));
    graph += proto_bytes(1, onnx_node("Add", bias, nameless + "_out", "y"));
  }
  return proto_number(1, 6) + proto_bytes(7, graph);
}

inline std::string tiny_tokenizer(bool lowercase) {
  const Json vocab = {{"[PAD]", 0},  {"[UNK]", 1}, {"[CLS]", 2}, {"[SEP]", 3},
                      {"[MASK]", 4}, {"ab", 5},    {"##c", 6}};
  return dump_json(
      {{"normalizer",
        {{"type", "BertNormalizer"},
         {"handle_chinese_chars", true},
         {"strip_accents", nullptr},
         {"lowercase", lowercase}}},
       {"model", {{"type", "WordPiece"}, {"continuing_subword_prefix", "##"}, {"vocab", vocab}}}});
}

}  // namespace qiao::testing
