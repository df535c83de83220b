// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/convert/convert_weights.h"

namespace qiao::learn {

inline constexpr std::size_t kGgufBytesMax = std::size_t{2} << 30;

// A GGUF file (github.com/ggml-org/ggml, docs/gguf.md) read without ggml: keys and tensors as they
// are named in the file. Tensors of F32, F16, BF16 and Q8_0 become binary32 by our own
// hand, other kinds (Q4_K …) by ggml's where it is built in, else they are `unsupported`.
// Everything a damaged file can say wrong is `corrupt` with the key or tensor.
//
// Holds the file in memory. Immutable after open(), thread-safe.
class GgufFile final : public model::WeightFile {
 public:
  static Result<std::unique_ptr<GgufFile>> open(const std::string& path);

  [[nodiscard]] bool has(const std::string& name) const override { return tensors_.contains(name); }
  Result<model::Tensor> read(const std::string& name) override;

  // The value of `key`, or not_found. A number of any width counts as a number.
  [[nodiscard]] Result<double> number(const std::string& key) const;
  [[nodiscard]] Result<std::string> text(const std::string& key) const;
  [[nodiscard]] Result<std::vector<std::string>> texts(const std::string& key) const;
  [[nodiscard]] Result<std::vector<double>> numbers(const std::string& key) const;

 private:
  struct Slice {
    std::uint32_t type = 0;
    std::vector<std::int64_t> shape;  // outermost first
    std::uint64_t offset = 0;         // from the start of the data
  };
  class Reader;

  GgufFile() = default;
  Status parse();
  Status parse_key(Reader& reader);
  Status parse_tensor(Reader& reader);

  std::string bytes_;
  std::size_t data_begin_ = 0;
  std::map<std::string, double> numbers_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, std::vector<std::string>> text_lists_;
  std::map<std::string, std::vector<double>> number_lists_;
  std::map<std::string, Slice> tensors_;
};

// What card.json beside `path` says of the file's licence, else the file itself; "": neither.
std::string licence_of(const GgufFile& file, const std::filesystem::path& path);

}  // namespace qiao::learn
