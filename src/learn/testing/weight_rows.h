// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "learn/models/language_model.h"
#include "learn/testing/reference_encoder.h"

namespace qiao::learn::testing {

// The weights of a model in binary64, as rows of numbers for a reference in plain loops.
class WeightRows {
 public:
  explicit WeightRows(const LanguageModel& model) {
    for (const auto& [name, tensor] : weights_of(model)) tensors_.emplace(name, tensor);
  }
  Vector row(const std::string& name) const { return row_of(tensors_.at(name)); }
  Matrix matrix(const std::string& name) const {
    Matrix out;
    for (std::int64_t r = 0; r < tensors_.at(name).size(0); ++r) {
      out.push_back(row_of(tensors_.at(name)[r]));
    }
    return out;
  }
  Vector linear(const std::string& name, const Vector& x) const {
    const Matrix weight = matrix(name + ".weight");
    const bool biased = tensors_.contains(name + ".bias");
    return times(weight, x, biased ? row(name + ".bias") : Vector(weight.size(), 0));
  }
  Vector norm(const std::string& name, const Vector& x) const {
    return testing::norm(x, row(name + ".weight"), row(name + ".bias"), 1e-5);
  }

 private:
  static Vector row_of(const torch::Tensor& tensor) {
    const torch::Tensor wide = tensor.detach().contiguous();
    return {wide.data_ptr<double>(), wide.data_ptr<double>() + wide.numel()};
  }
  std::map<std::string, torch::Tensor> tensors_;
};

}  // namespace qiao::learn::testing
