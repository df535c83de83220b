// SPDX-License-Identifier: Apache-2.0
#include "model/convert/convert_onnx.h"

#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/disk.h"
#include "model/convert/convert_protobuf.h"

namespace qiao::model {
namespace {

// Field numbers of onnx.proto.
constexpr std::uint32_t kModelGraph = 7;
constexpr std::uint32_t kGraphNode = 1;
constexpr std::uint32_t kGraphInitializer = 5;
constexpr std::uint32_t kNodeInput = 1;
constexpr std::uint32_t kNodeOutput = 2;
constexpr std::uint32_t kNodeOperator = 4;
constexpr std::uint32_t kTensorDims = 1;
constexpr std::uint32_t kTensorType = 2;
constexpr std::uint32_t kTensorFloats = 4;
constexpr std::uint32_t kTensorName = 8;
constexpr std::uint32_t kTensorRaw = 9;
constexpr std::uint32_t kTensorLocation = 14;
// TensorProto.DataType.
constexpr std::uint64_t kFloat = 1;
constexpr std::uint64_t kFloat16 = 10;
constexpr std::uint64_t kBfloat16 = 16;

constexpr std::size_t kNodesMax = 1 << 20;
constexpr std::size_t kInitializersMax = 1 << 16;
constexpr std::size_t kNodeInputsMax = 4096;

struct Initializer {
  std::vector<std::int64_t> shape;
  std::uint64_t type = 0;
  std::string_view name;
  std::string_view data;  // little-endian values
  bool outside = false;
  bool transposed = false;
};

struct Node {
  std::string_view op;
  std::vector<std::string_view> inputs;
  std::string_view output;
};

Result<Initializer> read_initializer(std::string_view text) {
  Initializer tensor;
  for (ProtoReader reader(text); !reader.done();) {
    QIAO_ASSIGN(const ProtoField field, reader.next());
    switch (field.number) {
      case kTensorDims:
        QIAO_TRY(append_integers(field, tensor.shape));
        break;
      case kTensorType:
        tensor.type = field.value;
        break;
      case kTensorName:
        tensor.name = field.bytes;
        break;
      case kTensorFloats:  // packed floats have the layout of raw data
      case kTensorRaw:
        tensor.data = field.bytes;
        break;
      case kTensorLocation:
        tensor.outside = field.value != 0;
        break;
      default:
        break;
    }
  }
  return tensor;
}

Result<Node> read_node(std::string_view text) {
  Node node;
  for (ProtoReader reader(text); !reader.done();) {
    QIAO_ASSIGN(const ProtoField field, reader.next());
    if (field.number == kNodeOperator) node.op = field.bytes;
    if (field.number == kNodeOutput && node.output.empty()) node.output = field.bytes;
    if (field.number == kNodeInput && node.inputs.size() < kNodeInputsMax) {
      node.inputs.push_back(field.bytes);
    }
  }
  return node;
}

struct Graph {
  std::unordered_map<std::string_view, Initializer> initializers;
  std::vector<Node> nodes;  // MatMul and Add only
};

Result<Graph> read_graph(std::string_view text) {
  Graph graph;
  std::size_t nodes = 0;
  for (ProtoReader reader(text); !reader.done();) {
    QIAO_ASSIGN(const ProtoField field, reader.next());
    if (field.number == kGraphInitializer) {
      QIAO_ASSIGN(Initializer tensor, read_initializer(field.bytes));
      const std::string_view name = tensor.name;
      graph.initializers.insert_or_assign(name, std::move(tensor));
    } else if (field.number == kGraphNode) {
      ++nodes;
      QIAO_ASSIGN(Node node, read_node(field.bytes));
      if (node.op == "MatMul" || node.op == "Add") graph.nodes.push_back(std::move(node));
    }
    if (nodes > kNodesMax || graph.initializers.size() > kInitializersMax) {
      return Error{Code::kUnsupported, "the ONNX graph has too many nodes or tensors"};
    }
  }
  return graph;
}

using Tensors = std::unordered_map<std::string, Initializer>;

// The initializers by Hugging Face's names, MatMul's weights named by the bias that follows.
Tensors name_tensors(const Graph& graph) {
  std::unordered_map<std::string_view, std::string_view> weight_of_output;
  Tensors tensors;
  for (const Node& node : graph.nodes) {
    if (node.op != "MatMul" || node.inputs.size() != 2) continue;
    if (graph.initializers.contains(node.inputs[1])) {
      weight_of_output[node.output] = node.inputs[1];
    }
  }
  for (const auto& [name, tensor] : graph.initializers) {
    tensors.emplace(plain_tensor_name(name), tensor);
  }
  constexpr std::string_view kBias = ".bias";
  for (const Node& node : graph.nodes) {
    if (node.op != "Add" || node.inputs.size() != 2) continue;
    for (int side = 0; side < 2; ++side) {
      const std::string_view bias = node.inputs[static_cast<std::size_t>(side)];
      const auto weight = weight_of_output.find(node.inputs[static_cast<std::size_t>(1 - side)]);
      if (weight == weight_of_output.end() || !bias.ends_with(kBias)) continue;
      Initializer turned = graph.initializers.at(weight->second);
      turned.transposed = true;
      tensors.insert_or_assign(
          plain_tensor_name(bias.substr(0, bias.size() - kBias.size())) + ".weight", turned);
    }
  }
  return tensors;
}

Result<Tensor> decode(const Initializer& tensor, const std::string& name) {
  if (tensor.outside) {
    return Error{Code::kUnsupported, "tensor " + name +
                                         " lies outside the ONNX file; export the "
                                         "model into one file"};
  }
  switch (tensor.type) {
    case kFloat:
      return decode_tensor(tensor.data, ElementType::kFloat32, tensor.shape, name);
    case kFloat16:
      return decode_tensor(tensor.data, ElementType::kFloat16, tensor.shape, name);
    case kBfloat16:
      return decode_tensor(tensor.data, ElementType::kBfloat16, tensor.shape, name);
    default:
      return Error{Code::kUnsupported, "tensor " + name +
                                           " is neither float32, float16 nor "
                                           "bfloat16; export the model unquantised"};
  }
}

Result<Tensor> transpose(const Tensor& tensor, const std::string& name) {
  if (tensor.shape.size() != 2) {
    return Error{Code::kCorrupt, "tensor " + name + " is multiplied but is no matrix"};
  }
  const auto rows = static_cast<std::size_t>(tensor.shape[0]);
  const auto columns = static_cast<std::size_t>(tensor.shape[1]);
  Tensor turned{{tensor.shape[1], tensor.shape[0]}, std::vector<float>(tensor.values.size())};
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      turned.values[c * rows + r] = tensor.values[r * columns + c];
    }
  }
  return turned;
}

class OnnxFile final : public WeightFile {
 public:
  explicit OnnxFile(std::string bytes) : bytes_(std::move(bytes)) {}

  Status parse() {
    std::string_view graph_text;
    for (ProtoReader reader(bytes_); !reader.done();) {
      QIAO_ASSIGN(const ProtoField field, reader.next());
      if (field.number == kModelGraph && field.is_bytes) graph_text = field.bytes;
    }
    QIAO_ASSIGN(const Graph graph, read_graph(graph_text));
    if (graph.initializers.empty()) {
      return Error{Code::kCorrupt, "not an ONNX model with weights"};
    }
    tensors_ = name_tensors(graph);
    return {};
  }

  [[nodiscard]] bool has(const std::string& name) const override { return tensors_.contains(name); }

  Result<Tensor> read(const std::string& name) override {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return not_found("the ONNX file has no tensor " + name);
    QIAO_ASSIGN(Tensor tensor, decode(found->second, name));
    if (found->second.transposed) return transpose(tensor, name);
    return tensor;
  }

 private:
  std::string bytes_;  // tensors_ point into it
  Tensors tensors_;
};

}  // namespace

Result<std::unique_ptr<WeightFile>> open_onnx(const std::string& path) {
  QIAO_ASSIGN(std::string bytes, read_file(path, kOnnxBytesMax));
  auto file = std::make_unique<OnnxFile>(std::move(bytes));
  if (Status parsed = file->parse(); !parsed) return std::move(parsed.error()).with(path);
  return std::unique_ptr<WeightFile>(std::move(file));
}

}  // namespace qiao::model
