// SPDX-License-Identifier: Apache-2.0
#include "model/convert/convert_safetensors.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/disk.h"
#include "base/json.h"

namespace qiao::model {
namespace {

struct TypeName {
  std::string_view name;
  ElementType type;
};
constexpr std::string_view kInt8 = "I8";
constexpr TypeName kTypes[] = {{"F32", ElementType::kFloat32},
                               {"F16", ElementType::kFloat16},
                               {"BF16", ElementType::kBfloat16}};

struct Slice {
  std::string type;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  // in the file
  std::uint64_t bytes = 0;
};

std::vector<std::uint64_t> unsigned_list(const Json& object, std::string_view key) {
  std::vector<std::uint64_t> numbers;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return numbers;
  for (const Json& item : *found) {
    if (!item.is_number_unsigned()) return {};
    numbers.push_back(item.get<std::uint64_t>());
  }
  return numbers;
}

// `data_begin`: where values start; `file_bytes`: where they must end.
Result<Slice> read_slice(const std::string& name, const Json& json, std::uint64_t data_begin,
                         std::uint64_t file_bytes) {
  Slice slice;
  slice.type = json_string(json, "dtype").value_or("");
  for (const std::uint64_t side : unsigned_list(json, "shape")) {
    slice.shape.push_back(static_cast<std::int64_t>(side));
  }
  const std::vector<std::uint64_t> range = unsigned_list(json, "data_offsets");
  const std::uint64_t data_bytes = file_bytes - data_begin;
  if (range.size() != 2 || range[0] > range[1] || range[1] > data_bytes) {
    return Error{Code::kCorrupt, "tensor " + name + " lies outside the file: it is cut"};
  }
  slice.begin = data_begin + range[0];
  slice.bytes = range[1] - range[0];
  return slice;
}

class SafetensorsFile final : public WeightFile {
 public:
  explicit SafetensorsFile(std::unique_ptr<DiskFile> file) : file_(std::move(file)) {}

  Status parse() {
    QIAO_ASSIGN(const std::uint64_t file_bytes, file_->size());
    QIAO_ASSIGN(const std::string length, file_->read_at(0, 8));
    if (length.size() != 8) return Error{Code::kCorrupt, "not a safetensors file: too short"};
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, length.data(), 8);
    if (header_bytes > kSafetensorsHeaderBytesMax || header_bytes > file_bytes - 8) {
      return Error{Code::kCorrupt, "not a safetensors file: its header passes the end"};
    }
    QIAO_ASSIGN(const std::string text, file_->read_at(8, header_bytes));
    QIAO_ASSIGN(const Json header, parse_json(text));
    if (!header.is_object()) return Error{Code::kCorrupt, "the safetensors header is no object"};
    for (const auto& [name, json] : header.items()) {
      if (name == "__metadata__") continue;
      QIAO_ASSIGN(Slice slice, read_slice(name, json, 8 + header_bytes, file_bytes));
      slices_.insert_or_assign(plain_tensor_name(name), std::move(slice));
    }
    return {};
  }

  [[nodiscard]] bool has(const std::string& name) const override { return slices_.contains(name); }
  [[nodiscard]] bool is_int8(const std::string& name) const override {
    const auto found = slices_.find(name);
    return found != slices_.end() && found->second.type == kInt8;
  }

  Result<Tensor> read(const std::string& name) override {
    const auto found = slices_.find(name);
    if (found == slices_.end()) return not_found("the safetensors file has no tensor " + name);
    const Slice& slice = found->second;
    if (slice.type == kInt8) return read_int8(name, slice);
    const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                   [&](const auto& row) { return row.name == slice.type; });
    if (type == std::end(kTypes)) {
      return Error{Code::kUnsupported, "tensor " + name + " is " + slice.type +
                                           "; only F32, F16, BF16 and I8 are read"};
    }
    if (slice.bytes / sizeof(float) > static_cast<std::uint64_t>(kTensorElementsMax)) {
      return Error{Code::kUnsupported, "tensor " + name + " is larger than we read"};
    }
    QIAO_ASSIGN(const std::string bytes, file_->read_at(slice.begin, slice.bytes));
    return decode_tensor(bytes, type->type, slice.shape, name);
  }

 private:
  Result<Tensor> read_int8(const std::string& name, const Slice& slice) {
    if (is_int8(name + "_scale")) return Error{Code::kCorrupt, name + "_scale is no scale"};
    QIAO_ASSIGN(const Tensor scales, read(name + "_scale"));
    const bool sane = slice.shape.size() == 2 && slice.shape[0] > 0 && slice.shape[1] > 0 &&
                      slice.shape[1] <= kTensorElementsMax / slice.shape[0] &&
                      slice.bytes == static_cast<std::uint64_t>(slice.shape[0] * slice.shape[1]) &&
                      static_cast<std::int64_t>(scales.values.size()) == slice.shape[0];
    if (!sane) return Error{Code::kCorrupt, "tensor " + name + " does not fill its shape"};
    QIAO_ASSIGN(const std::string bytes, file_->read_at(slice.begin, slice.bytes));
    Tensor tensor{slice.shape, {}};
    tensor.values.reserve(bytes.size());
    const auto row = static_cast<std::size_t>(slice.shape[1]);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const auto number = static_cast<std::int8_t>(bytes[i]);
      tensor.values.push_back(static_cast<float>(number) * scales.values[i / row]);
    }
    return tensor;
  }

  std::unique_ptr<DiskFile> file_;
  std::unordered_map<std::string, Slice> slices_;
};

}  // namespace

Result<std::unique_ptr<WeightFile>> open_safetensors(const std::string& path) {
  SystemDisk disk;
  QIAO_ASSIGN(std::unique_ptr<DiskFile> opened, disk.open(path, OpenMode::kRead));
  auto file = std::make_unique<SafetensorsFile>(std::move(opened));
  if (Status parsed = file->parse(); !parsed) return std::move(parsed.error()).with(path);
  return std::unique_ptr<WeightFile>(std::move(file));
}

}  // namespace qiao::model
