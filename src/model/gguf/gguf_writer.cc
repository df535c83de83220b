// SPDX-License-Identifier: Apache-2.0
#include "model/gguf/gguf_writer.h"

#include <ggml.h>
#include <gguf.h>

#include <cstring>
#include <utility>

#include "base/disk.h"
#include "model/convert/convert_weights.h"
#include "model/gguf/int8_rows.h"

namespace qiao::model {
namespace {

struct FreeGguf {
  void operator()(gguf_context* context) const { gguf_free(context); }
};
struct FreeGgml {
  void operator()(ggml_context* context) const { ggml_free(context); }
};

std::string encode(const std::vector<float>& values, ggml_type type, std::size_t row) {
  if (type == GGML_TYPE_Q8_0) return q8_bytes(quantise_rows(values, row), row);
  const bool half = type == GGML_TYPE_F16;
  std::string bytes(values.size() * (half ? 2 : 4), '\0');
  if (!half) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t bits = half_of_float(values[i]);
    std::memcpy(bytes.data() + 2 * i, &bits, 2);
  }
  return bytes;
}

}  // namespace

struct GgufWriter::Impl {
  std::unique_ptr<gguf_context, FreeGguf> gguf{gguf_init_empty()};
  // Holds the tensors' descriptions, no values.
  std::unique_ptr<ggml_context, FreeGgml> shapes{
      ggml_init({ggml_tensor_overhead() * kTensorsMax, nullptr, true})};
};

GgufWriter::GgufWriter() : impl_(std::make_unique<Impl>()) {}
GgufWriter::~GgufWriter() = default;

void GgufWriter::set(const std::string& key, const std::string& value) {
  gguf_set_val_str(impl_->gguf.get(), key.c_str(), value.c_str());
}
void GgufWriter::set(const std::string& key, std::uint32_t value) {
  gguf_set_val_u32(impl_->gguf.get(), key.c_str(), value);
}
void GgufWriter::set(const std::string& key, float value) {
  gguf_set_val_f32(impl_->gguf.get(), key.c_str(), value);
}
void GgufWriter::set(const std::string& key, bool value) {
  gguf_set_val_bool(impl_->gguf.get(), key.c_str(), value);
}
void GgufWriter::set(const std::string& key, const std::vector<std::string>& values) {
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& value : values) pointers.push_back(value.c_str());
  gguf_set_arr_str(impl_->gguf.get(), key.c_str(), pointers.data(), pointers.size());
}
void GgufWriter::set(const std::string& key, const std::vector<std::int32_t>& values) {
  gguf_set_arr_data(impl_->gguf.get(), key.c_str(), GGUF_TYPE_INT32, values.data(), values.size());
}
void GgufWriter::set(const std::string& key, const std::vector<float>& values) {
  gguf_set_arr_data(impl_->gguf.get(), key.c_str(), GGUF_TYPE_FLOAT32, values.data(),
                    values.size());
}

Status GgufWriter::copy_keys(const std::string& path) {
  const std::unique_ptr<gguf_context, FreeGguf> source(
      gguf_init_from_file(path.c_str(), {true, nullptr}));
  if (source == nullptr) return Error{Code::kCorrupt, "cannot read the keys of " + path};
  gguf_set_kv(impl_->gguf.get(), source.get());
  return {};
}

void GgufWriter::copy_keys(const GgufWriter& other) {
  gguf_set_kv(impl_->gguf.get(), other.impl_->gguf.get());
}

Status GgufWriter::add_tensor(const std::string& name, const std::vector<std::int64_t>& shape,
                              bool half) {
  return add(name, shape, half ? Numbers::kHalf : Numbers::kFull);
}

Status GgufWriter::add_int8_tensor(const std::string& name,
                                   const std::vector<std::int64_t>& shape) {
  if (shape.size() != 2 || shape[1] % static_cast<std::int64_t>(kQ8Block) != 0) {
    return internal("the rows of " + name + " do not divide into blocks of eight-bit numbers");
  }
  return add(name, shape, Numbers::kInt8);
}

Status GgufWriter::add(const std::string& name, const std::vector<std::int64_t>& shape,
                       Numbers numbers) {
  const bool fits = !shape.empty() && shape.size() <= 2 && name.size() < GGML_MAX_NAME &&
                    gguf_find_tensor(impl_->gguf.get(), name.c_str()) < 0 &&
                    gguf_get_n_tensors(impl_->gguf.get()) < static_cast<std::int64_t>(kTensorsMax);
  std::vector<std::int64_t> sides(shape.rbegin(), shape.rend());  // ggml: innermost first
  for (const std::int64_t side : sides) {
    if (!fits || side <= 0) return internal("cannot describe tensor " + name);
  }
  const ggml_type type = numbers == Numbers::kInt8   ? GGML_TYPE_Q8_0
                         : numbers == Numbers::kHalf ? GGML_TYPE_F16
                                                     : GGML_TYPE_F32;
  ggml_tensor* tensor =
      ggml_new_tensor(impl_->shapes.get(), type, static_cast<int>(sides.size()), sides.data());
  ggml_set_name(tensor, name.c_str());
  gguf_add_tensor(impl_->gguf.get(), tensor);
  return {};
}

std::string GgufWriter::head() const {
  std::string meta(gguf_get_meta_size(impl_->gguf.get()), '\0');
  gguf_get_meta_data(impl_->gguf.get(), meta.data());
  return meta;
}

Status GgufWriter::write(const std::string& path, const Values& values) {
  gguf_context* gguf = impl_->gguf.get();
  const std::string meta = head();

  SystemDisk disk;
  QIAO_ASSIGN(std::unique_ptr<DiskFile> file, disk.open(path, OpenMode::kCreateNew));
  QIAO_TRY(file->write_at(0, meta));
  std::uint64_t end = meta.size();
  for (std::int64_t i = 0; i < gguf_get_n_tensors(gguf); ++i) {
    QIAO_ASSIGN(const std::vector<float> tensor, values(static_cast<std::size_t>(i)));
    const ggml_tensor* shape = ggml_get_tensor(impl_->shapes.get(), gguf_get_tensor_name(gguf, i));
    std::string bytes = encode(tensor, shape->type, static_cast<std::size_t>(shape->ne[0]));
    if (bytes.size() != gguf_get_tensor_size(gguf, i)) {
      return internal(std::string(gguf_get_tensor_name(gguf, i)) + " has not its own size");
    }
    bytes.resize(GGML_PAD(bytes.size(), gguf_get_alignment(gguf)), '\0');
    QIAO_TRY(file->write_at(end, bytes));
    end += bytes.size();
  }
  return file->sync_data();
}

}  // namespace qiao::model
