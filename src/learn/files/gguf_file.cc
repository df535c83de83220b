// SPDX-License-Identifier: Apache-2.0
#include "learn/files/gguf_file.h"

#include <cstring>
#include <limits>

#include "base/disk.h"
#include "learn/files/model_card.h"
#include "model/gguf/gguf_values.h"

namespace qiao::learn {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint64_t kEntriesMax = 1 << 20;  // keys, tensors, items of a list
constexpr std::uint64_t kAlignmentDefault = 32;
constexpr std::uint32_t kSidesMax = 4;

// Kinds of value in a key, by their number in the file.
enum ValueType : std::uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};
// Kinds of tensor we read, by their number in the file.
constexpr std::uint32_t kTensorF32 = 0;
constexpr std::uint32_t kTensorF16 = 1;
constexpr std::uint32_t kTensorQ8 = 8;
constexpr std::uint32_t kTensorBf16 = 30;
constexpr std::size_t kQ8Block = 32;       // values
constexpr std::size_t kQ8BlockBytes = 34;  // a binary16 scale and 32 int8

Error corrupt(std::string message) {
  return {Code::kCorrupt, std::move(message)};
}

Result<model::Tensor> decode_q8(std::string_view bytes, const std::vector<std::int64_t>& shape,
                                std::size_t count, const std::string& name) {
  if (shape.empty() || shape.back() % static_cast<std::int64_t>(kQ8Block) != 0) {
    return corrupt("tensor " + name + " has rows that are no multiple of 32");
  }
  model::Tensor tensor{shape, std::vector<float>(count)};
  for (std::size_t block = 0; block < count / kQ8Block; ++block) {
    const char* at = bytes.data() + block * kQ8BlockBytes;
    std::uint16_t scale = 0;
    std::memcpy(&scale, at, 2);
    const float unit = model::float_of_half(scale);
    for (std::size_t i = 0; i < kQ8Block; ++i) {
      tensor.values[block * kQ8Block + i] =
          unit * static_cast<float>(static_cast<signed char>(at[2 + i]));
    }
  }
  return tensor;
}

}  // namespace

// Takes values off the front of the file; past its end every call is `corrupt`.
class GgufFile::Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t at() const { return at_; }

  template <class T>
  Result<T> take() {
    if (bytes_.size() - at_ < sizeof(T)) return corrupt("the GGUF file ends in its header");
    T value{};
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  Result<std::string> take_text() {
    QIAO_ASSIGN(const auto size, take<std::uint64_t>());
    if (size > bytes_.size() - at_) return corrupt("the GGUF file ends inside a text");
    std::string text(bytes_.substr(at_, size));
    at_ += size;
    return text;
  }

  template <class T>
  Result<double> take_as_number() {
    QIAO_ASSIGN(const T value, take<T>());
    return static_cast<double>(value);
  }

  Result<double> take_number(std::uint32_t type) {
    switch (type) {
      case kUint8:
      case kBool:
        return take_as_number<std::uint8_t>();
      case kInt8:
        return take_as_number<std::int8_t>();
      case kUint16:
        return take_as_number<std::uint16_t>();
      case kInt16:
        return take_as_number<std::int16_t>();
      case kUint32:
        return take_as_number<std::uint32_t>();
      case kInt32:
        return take_as_number<std::int32_t>();
      case kFloat32:
        return take_as_number<float>();
      case kUint64:
        return take_as_number<std::uint64_t>();
      case kInt64:
        return take_as_number<std::int64_t>();
      case kFloat64:
        return take_as_number<double>();
      default:
        return corrupt("the GGUF file has a value of unknown type " + std::to_string(type));
    }
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

Status GgufFile::parse_key(Reader& reader) {
  QIAO_ASSIGN(const std::string key, reader.take_text());
  QIAO_ASSIGN(const auto type, reader.take<std::uint32_t>());
  if (type == kString) {
    QIAO_ASSIGN(texts_[key], reader.take_text());
    return {};
  }
  if (type != kArray) {
    QIAO_ASSIGN(numbers_[key], reader.take_number(type));
    return {};
  }
  QIAO_ASSIGN(const auto item_type, reader.take<std::uint32_t>());
  QIAO_ASSIGN(const auto count, reader.take<std::uint64_t>());
  if (count > kEntriesMax) return corrupt("the list " + key + " is impossibly long");
  for (std::uint64_t i = 0; i < count; ++i) {
    if (item_type == kString) {
      QIAO_ASSIGN(std::string item, reader.take_text());
      text_lists_[key].push_back(std::move(item));
    } else {
      QIAO_ASSIGN(const double item, reader.take_number(item_type));
      number_lists_[key].push_back(item);
    }
  }
  return {};
}

Status GgufFile::parse_tensor(Reader& reader) {
  QIAO_ASSIGN(const std::string name, reader.take_text());
  QIAO_ASSIGN(const auto sides, reader.take<std::uint32_t>());
  if (sides == 0 || sides > kSidesMax) return corrupt("tensor " + name + " has no shape");
  Slice slice;
  std::int64_t count = 1;
  for (std::uint32_t i = 0; i < sides; ++i) {
    QIAO_ASSIGN(const auto side, reader.take<std::uint64_t>());
    if (side == 0 || side > static_cast<std::uint64_t>(model::kTensorElementsMax / count)) {
      return corrupt("tensor " + name + " has an impossible shape");
    }
    count *= static_cast<std::int64_t>(side);
    slice.shape.insert(slice.shape.begin(), static_cast<std::int64_t>(side));
  }
  QIAO_ASSIGN(slice.type, reader.take<std::uint32_t>());
  QIAO_ASSIGN(slice.offset, reader.take<std::uint64_t>());
  tensors_[name] = std::move(slice);
  return {};
}

Status GgufFile::parse() {
  Reader reader(bytes_);
  if (!bytes_.starts_with(kMagic)) return corrupt("not a GGUF file");
  QIAO_TRY(reader.take<std::uint32_t>());
  QIAO_ASSIGN(const auto version, reader.take<std::uint32_t>());
  if (version != 2 && version != 3) {
    return Error{Code::kUnsupported, "GGUF version " + std::to_string(version) + " is not read"};
  }
  QIAO_ASSIGN(const auto tensors, reader.take<std::uint64_t>());
  QIAO_ASSIGN(const auto keys, reader.take<std::uint64_t>());
  if (tensors > kEntriesMax || keys > kEntriesMax) return corrupt("the GGUF header is damaged");
  for (std::uint64_t i = 0; i < keys; ++i) QIAO_TRY(parse_key(reader));
  for (std::uint64_t i = 0; i < tensors; ++i) QIAO_TRY(parse_tensor(reader));
  const double told = number("general.alignment").value_or(kAlignmentDefault);
  if (told < 1 || told > 4096) return corrupt("general.alignment is impossible");
  const auto alignment = static_cast<std::size_t>(told);
  data_begin_ = (reader.at() + alignment - 1) / alignment * alignment;
  return {};
}

Result<std::unique_ptr<GgufFile>> GgufFile::open(const std::string& path) {
  std::unique_ptr<GgufFile> file(new GgufFile);
  QIAO_ASSIGN(file->bytes_, read_file(path, kGgufBytesMax));
  if (Status parsed = file->parse(); !parsed) return std::move(parsed.error()).with(path);
  return file;
}

Result<model::Tensor> GgufFile::read(const std::string& name) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return not_found("the GGUF file has no tensor " + name);
  const Slice& slice = found->second;
  std::size_t count = 1;
  for (const std::int64_t side : slice.shape) count *= static_cast<std::size_t>(side);
  std::size_t size = 0;
  switch (slice.type) {
    case kTensorF32:
      size = count * 4;
      break;
    case kTensorF16:
    case kTensorBf16:
      size = count * 2;
      break;
    case kTensorQ8:
      size = count / kQ8Block * kQ8BlockBytes;
      break;
    default: {
      auto told =
          model::bytes_of_values(slice.type, count, static_cast<std::size_t>(slice.shape.back()));
      if (!told) return std::move(told.error()).with("tensor " + name);
      size = *told;
    }
  }
  if (data_begin_ > bytes_.size() || slice.offset > bytes_.size() - data_begin_ ||
      size > bytes_.size() - data_begin_ - slice.offset) {
    return corrupt("tensor " + name + " lies outside the file: it is cut");
  }
  const std::string_view bytes = std::string_view(bytes_).substr(data_begin_ + slice.offset, size);
  if (slice.type == kTensorQ8) return decode_q8(bytes, slice.shape, count, name);
  if (slice.type != kTensorF32 && slice.type != kTensorF16 && slice.type != kTensorBf16) {
    QIAO_ASSIGN(auto values, model::decode_values(slice.type, bytes, count));
    return model::Tensor{slice.shape, std::move(values)};
  }
  const auto type = slice.type == kTensorF32   ? model::ElementType::kFloat32
                    : slice.type == kTensorF16 ? model::ElementType::kFloat16
                                               : model::ElementType::kBfloat16;
  return model::decode_tensor(bytes, type, slice.shape, name);
}

namespace {
template <class T>
Result<T> look_up(const std::map<std::string, T>& table, const std::string& key) {
  const auto found = table.find(key);
  if (found == table.end()) return not_found("the GGUF file has no key " + key);
  return found->second;
}
}  // namespace

Result<double> GgufFile::number(const std::string& key) const {
  return look_up(numbers_, key);
}
Result<std::string> GgufFile::text(const std::string& key) const {
  return look_up(texts_, key);
}
Result<std::vector<std::string>> GgufFile::texts(const std::string& key) const {
  return look_up(text_lists_, key);
}
Result<std::vector<double>> GgufFile::numbers(const std::string& key) const {
  return look_up(number_lists_, key);
}

std::string licence_of(const GgufFile& file, const std::filesystem::path& path) {
  const std::string told = licence_in(path.parent_path().string());
  return told.empty() ? file.text("general.license").value_or("") : told;
}

}  // namespace qiao::learn
