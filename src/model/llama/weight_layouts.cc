// SPDX-License-Identifier: Apache-2.0
#include "model/llama/weight_layouts.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpp.h>
#include <ggml-cpu.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/logging.h"

namespace qiao::model {
namespace {

constexpr std::int64_t kColumns = 512;  // two blocks of the widest types
constexpr std::int64_t kRows = 64;      // a whole number of tiles of every kernel
// One vector, less than a tile of them, a tile and a rest: each has a kernel of its own.
constexpr std::array<std::int64_t, 4> kWidths = {1, 3, 8, 21};
// Both forms round the vectors alike and add the same products in another order.
constexpr double kErrorMax = 1e-3;
constexpr std::array<ggml_type, 7> kTypes = {GGML_TYPE_Q4_0,  GGML_TYPE_Q8_0, GGML_TYPE_Q2_K,
                                             GGML_TYPE_Q4_K,  GGML_TYPE_Q5_K, GGML_TYPE_Q6_K,
                                             GGML_TYPE_IQ4_NL};

std::vector<float> random_values(std::int64_t count, std::uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count));
  std::generate(values.begin(), values.end(), [&] { return normal(engine); });
  return values;
}

// The buffer type in which `weights` would be rearranged, or null.
ggml_backend_buffer_type_t rearranging_buffer(ggml_backend_dev_t device, ggml_tensor* product) {
  auto* list_buffers =
      reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
          ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
  if (list_buffers == nullptr) return nullptr;
  for (auto* at = list_buffers(device); at != nullptr && *at != nullptr; ++at) {
    // llama.cpp asks in the same way: whether the operation is supported with weights there.
    const ggml_backend_buffer_ptr probe(ggml_backend_buft_alloc_buffer(*at, 0));
    product->src[0]->buffer = probe.get();
    const bool supported = ggml_backend_dev_supports_op(device, product);
    product->src[0]->buffer = nullptr;
    if (supported) return *at;
  }
  return nullptr;
}

// One product, weights × vectors, computed with the weights in one kind of buffer or another.
class Product {
 public:
  Product(ggml_type type, std::int64_t width)
      : device_(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)) {
    const ggml_init_params sizes{16 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr,
                                 true};
    weights_context_.reset(ggml_init(sizes));
    context_.reset(ggml_init(sizes));
    weights_ = ggml_new_tensor_2d(weights_context_.get(), type, kColumns, kRows);
    vectors_ = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, kColumns, width);
    product_ = ggml_mul_mat(context_.get(), weights_, vectors_);
    graph_ = ggml_new_graph(context_.get());
    ggml_build_forward_expand(graph_, product_);
  }

  [[nodiscard]] ggml_backend_buffer_type_t rearranging() const {
    return rearranging_buffer(device_, product_);
  }

  std::vector<float> compute(ggml_backend_buffer_type_t weights_in, std::span<const char> weights,
                             std::span<const float> vectors) {
    const ggml_backend_ptr backend(ggml_backend_dev_init(device_, nullptr));
    ggml_backend_cpu_set_n_threads(backend.get(), 1);
    const ggml_backend_buffer_ptr weights_buffer(
        ggml_backend_alloc_ctx_tensors_from_buft(weights_context_.get(), weights_in));
    const ggml_backend_buffer_ptr buffer(
        ggml_backend_alloc_ctx_tensors(context_.get(), backend.get()));
    ggml_backend_tensor_set(weights_, weights.data(), 0, weights.size());
    ggml_backend_tensor_set(vectors_, vectors.data(), 0, vectors.size_bytes());
    std::vector<float> result(static_cast<std::size_t>(ggml_nelements(product_)));
    if (ggml_backend_graph_compute(backend.get(), graph_) != GGML_STATUS_SUCCESS) {
      std::fill(result.begin(), result.end(), std::nanf(""));
    } else {
      ggml_backend_tensor_get(product_, result.data(), 0, ggml_nbytes(product_));
    }
    return result;
  }

 private:
  ggml_backend_dev_t device_;
  ggml_context_ptr weights_context_;
  ggml_context_ptr context_;
  ggml_tensor* weights_ = nullptr;
  ggml_tensor* vectors_ = nullptr;
  ggml_tensor* product_ = nullptr;
  ggml_cgraph* graph_ = nullptr;
};

double relative_error(std::span<const float> is, std::span<const float> should) {
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < is.size(); ++i) {
    const double d = static_cast<double>(is[i]) - should[i];
    difference += d * d;
    size += static_cast<double>(should[i]) * should[i];
  }
  return std::sqrt(difference / size);
}

}  // namespace

std::optional<double> rearranging_error(ggml_type type) {
  const std::vector<float> values = random_values(kColumns * kRows, 1);
  std::vector<char> weights(ggml_row_size(type, kColumns) * kRows);
  ggml_quantize_chunk(type, values.data(), weights.data(), 0, kRows, kColumns, nullptr);
  double worst = 0;
  for (const std::int64_t width : kWidths) {
    auto* const rearranging = Product(type, width).rearranging();
    if (rearranging == nullptr) return std::nullopt;
    const std::vector<float> vectors = random_values(kColumns * width, 2);
    const auto should =
        Product(type, width).compute(ggml_backend_cpu_buffer_type(), weights, vectors);
    const auto is = Product(type, width).compute(rearranging, weights, vectors);
    const double error = relative_error(is, should);
    worst = std::isnan(error) ? error : std::max(worst, error);
    if (std::isnan(worst)) return worst;
  }
  return worst;
}

bool rearranging_is_right() {
  static const bool right = [] {
    for (const ggml_type type : kTypes) {
      const auto error = rearranging_error(type);
      if (!error || *error <= kErrorMax) continue;
      log_warn("llama", std::string("rearranged ") + ggml_type_name(type) +
                            " weights give wrong sums on this processor (relative error " +
                            std::to_string(*error) +
                            "): weights stay as the file has them, and "
                            "prompts are read slower");
      return false;
    }
    return true;
  }();
  return right;
}

}  // namespace qiao::model
