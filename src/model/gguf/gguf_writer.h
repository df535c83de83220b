// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace qiao::model {

// Writes one GGUF file (version 3) with ggml's gguf.h: first the keys and the tensors' names and
// shapes, then write() asks for each tensor's values in turn, so that one tensor at a time is in
// memory. One thread at a time. At most kTensorsMax tensors.
class GgufWriter {
 public:
  static constexpr std::size_t kTensorsMax = 4096;
  // The values of tensor number `index`, in the order of add_tensor().
  using Values = std::function<Result<std::vector<float>>(std::size_t index)>;

  GgufWriter();
  ~GgufWriter();
  GgufWriter(const GgufWriter&) = delete;
  GgufWriter& operator=(const GgufWriter&) = delete;

  void set(const std::string& key, const std::string& value);
  void set(const std::string& key, const char* value) { set(key, std::string(value)); }
  void set(const std::string& key, std::uint32_t value);
  void set(const std::string& key, float value);
  void set(const std::string& key, bool value);
  void set(const std::string& key, const std::vector<std::string>& values);
  void set(const std::string& key, const std::vector<std::int32_t>& values);
  void set(const std::string& key, const std::vector<float>& values);

  // Takes over all keys of the GGUF file `path` (its tensors are left alone); a key set later
  // replaces its like.
  Status copy_keys(const std::string& path);
  // The same of another writer.
  void copy_keys(const GgufWriter& other);

  // `shape` as PyTorch has it, outermost first, one or two sides. `half`: binary16, else binary32.
  // Requires: a name not given before, of fewer than 64 bytes; positive sides.
  Status add_tensor(const std::string& name, const std::vector<std::int64_t>& shape, bool half);

  // Eight-bit numbers with one scale a row (Q8_0; see int8_rows.h). Requires also: two sides, rows
  // of a multiple of kQ8Block values.
  Status add_int8_tensor(const std::string& name, const std::vector<std::int64_t>& shape);

  // What such a file begins with: without tensors all of it.
  [[nodiscard]] std::string head() const;

  // Creates `path` (which must not exist). On an Error the file may be there, unfinished.
  Status write(const std::string& path, const Values& values);

 private:
  enum class Numbers { kFull, kHalf, kInt8 };
  Status add(const std::string& name, const std::vector<std::int64_t>& shape, Numbers numbers);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qiao::model
