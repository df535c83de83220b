// SPDX-License-Identifier: Apache-2.0
#include "model/gguf/gguf_check.h"

#include <ggml.h>
#include <gguf.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <vector>

namespace qiao::model {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies in the file");

constexpr std::uint32_t kVersionMin = 2;
constexpr std::uint32_t kDimensionsMax = GGML_MAX_DIMS;
constexpr const char* kCutInHeader = "the file ends inside its header";
constexpr const char* kWhatToDo = ": fetch it again (qiao model pull)";

// Reads numbers and strings off a file; after a failure everything reads as zero and `failed`.
class Reader {
 public:
  Reader(const std::string& path, std::uint64_t size) : in_(path, std::ios::binary), size_(size) {}

  template <class T>
  T number() {
    T value{};
    read(reinterpret_cast<char*>(&value), sizeof value);
    return value;
  }
  std::string text() {
    const auto length = number<std::uint64_t>();
    if (length > kGgufStringBytesMax || length > size_ - at_) {
      failed_ = true;
      return {};
    }
    std::string value(length, '\0');
    read(value.data(), length);
    return failed_ ? std::string() : value;
  }
  void skip(std::uint64_t bytes) {
    if (bytes > size_ - at_) failed_ = true;
    if (failed_) return;
    at_ += bytes;
    in_.seekg(static_cast<std::streamoff>(at_));
  }
  [[nodiscard]] bool failed() const { return failed_ || at_ > kGgufHeaderBytesMax; }
  [[nodiscard]] std::uint64_t at() const { return at_; }

 private:
  void read(char* to, std::uint64_t bytes) {
    if (bytes > size_ - at_) failed_ = true;
    if (failed_ || !in_.read(to, static_cast<std::streamsize>(bytes))) {
      failed_ = true;
      std::memset(to, 0, bytes);
      return;
    }
    at_ += bytes;
  }

  std::ifstream in_;
  std::uint64_t size_;
  std::uint64_t at_ = 0;
  bool failed_ = false;
};

struct Header {
  GgufSummary summary;
  std::uint64_t alignment = GGUF_DEFAULT_ALIGNMENT;
  std::uint64_t data_end = 0;  // relative to the data section
};

// Bytes of one value of `type`, or 0 for text, lists and what is unknown.
std::uint64_t bytes_of(std::int32_t type) {
  switch (type) {
    case GGUF_TYPE_UINT8:
    case GGUF_TYPE_INT8:
    case GGUF_TYPE_BOOL:
      return 1;
    case GGUF_TYPE_UINT16:
    case GGUF_TYPE_INT16:
      return 2;
    case GGUF_TYPE_UINT32:
    case GGUF_TYPE_INT32:
    case GGUF_TYPE_FLOAT32:
      return 4;
    case GGUF_TYPE_UINT64:
    case GGUF_TYPE_INT64:
    case GGUF_TYPE_FLOAT64:
      return 8;
    default:
      return 0;
  }
}

// Moves past a value; false when its type is unknown.
bool skip_value(Reader& in, std::int32_t type) {
  if (type == GGUF_TYPE_STRING) {
    in.skip(in.number<std::uint64_t>());
    return true;
  }
  if (type != GGUF_TYPE_ARRAY) {
    in.skip(bytes_of(type));
    return bytes_of(type) != 0;
  }
  const auto element = in.number<std::int32_t>();
  const auto count = in.number<std::uint64_t>();
  if (element == GGUF_TYPE_STRING) {
    for (std::uint64_t i = 0; i < count && !in.failed(); ++i) in.skip(in.number<std::uint64_t>());
    return true;
  }
  const auto bytes = bytes_of(element);
  if (bytes == 0) return false;
  in.skip(count > kGgufHeaderBytesMax ? kGgufHeaderBytesMax + 1 : count * bytes);
  return true;
}

Status read_keys(Reader& in, std::uint64_t count, Header& header) {
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
    const auto key = in.text();
    const auto type = in.number<std::int32_t>();
    if (type == GGUF_TYPE_STRING && key == "general.architecture") {
      header.summary.architecture = in.text();
    } else if (type == GGUF_TYPE_STRING && key == "general.name") {
      header.summary.name = in.text();
    } else if (type == GGUF_TYPE_UINT32 && key == GGUF_KEY_GENERAL_ALIGNMENT) {
      header.alignment = in.number<std::uint32_t>();
    } else if (type == GGUF_TYPE_UINT32 && key.ends_with(".context_length")) {
      header.summary.context_length = in.number<std::uint32_t>();
    } else if (!skip_value(in, type) && !in.failed()) {
      return Error{Code::kCorrupt, "key '" + key.substr(0, 80) + "' has no known type"};
    }
  }
  return {};
}

Status read_tensor(Reader& in, Header& header) {
  const auto name = in.text();
  const auto dimensions = in.number<std::uint32_t>();
  const std::string what = "tensor '" + name.substr(0, 80) + "'";
  if (dimensions > kDimensionsMax) return Error{Code::kCorrupt, what + " has too many dimensions"};
  std::uint64_t elements = 1;
  std::uint64_t row = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto side = in.number<std::uint64_t>();
    if (i == 0) row = side;
    if (__builtin_mul_overflow(elements, side, &elements)) {
      return Error{Code::kCorrupt, what + " is larger than any memory"};
    }
  }
  const auto type = in.number<std::int32_t>();
  const auto offset = in.number<std::uint64_t>();
  if (in.failed()) return {};
  if (type < 0 || type >= GGML_TYPE_COUNT || ggml_blck_size(static_cast<ggml_type>(type)) <= 0) {
    return Error{Code::kUnsupported, what + " has the number type " + std::to_string(type) +
                                         ", which this build does not know"};
  }
  const auto block = static_cast<std::uint64_t>(ggml_blck_size(static_cast<ggml_type>(type)));
  const std::uint64_t block_bytes = ggml_type_size(static_cast<ggml_type>(type));
  std::uint64_t end = 0;
  if (row % block != 0 || __builtin_mul_overflow(elements / block, block_bytes, &end) ||
      __builtin_add_overflow(end, offset, &end)) {
    return Error{Code::kCorrupt, what + " has an impossible size"};
  }
  header.data_end = std::max(header.data_end, end);
  return {};
}

Status read_header(Reader& in, Header& header) {
  if (in.number<std::uint32_t>() != 0x46554747U) {  // "GGUF"
    return Error{Code::kCorrupt, "this is not a GGUF file"};
  }
  const auto version = in.number<std::uint32_t>();
  if (in.failed()) return Error{Code::kCorrupt, kCutInHeader};
  if (version < kVersionMin || version > GGUF_VERSION) {
    return Error{Code::kUnsupported, "GGUF version " + std::to_string(version) +
                                         " is not one of those read here (2 and 3)"};
  }
  header.summary.tensors = in.number<std::uint64_t>();
  const auto keys = in.number<std::uint64_t>();
  if (header.summary.tensors > kGgufTensorsMax || keys > kGgufKeysMax) {
    return Error{Code::kCorrupt, "the header counts more tensors or keys than a model has"};
  }
  QIAO_TRY(read_keys(in, keys, header));
  if (header.alignment == 0 || (header.alignment & (header.alignment - 1)) != 0) {
    return Error{Code::kCorrupt, "the alignment is not a power of two"};
  }
  for (std::uint64_t i = 0; i < header.summary.tensors && !in.failed(); ++i) {
    QIAO_TRY(read_tensor(in, header));
  }
  if (in.failed()) return Error{Code::kCorrupt, kCutInHeader};
  return {};
}

}  // namespace

Result<GgufSummary> check_gguf(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return not_found("no readable file " + path);
  const auto size = static_cast<std::int64_t>(file.tellg());
  if (size < 0 || size == INT64_MAX) return not_found(path + " is not a file");
  Header header;
  header.summary.bytes = static_cast<std::uint64_t>(size);
  Reader in(path, header.summary.bytes);
  if (auto read = read_header(in, header); !read) {
    auto error = std::move(read.error());
    error.message = path + ": " + error.message + kWhatToDo;
    return error;
  }
  const std::uint64_t data = (in.at() + header.alignment - 1) / header.alignment * header.alignment;
  if (header.data_end > header.summary.bytes || data > header.summary.bytes - header.data_end) {
    return Error{Code::kCorrupt, path + ": cut short, " + std::to_string(header.summary.bytes) +
                                     " of " + std::to_string(data + header.data_end) +
                                     " bytes are there" + kWhatToDo};
  }
  return header.summary;
}

Result<std::string> kind_of_gguf(const std::string& path) {
  QIAO_ASSIGN(const GgufSummary summary, check_gguf(path));
  // "bert", "nomic-bert", "jina-bert-v2" …
  const bool encoder = summary.architecture.find("bert") != std::string::npos;
  return encoder ? "encoder" : "generator";
}

}  // namespace qiao::model
