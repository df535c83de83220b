// SPDX-License-Identifier: Apache-2.0
#include "learn/models/gelu.h"

#include <ATen/Parallel.h>

#include <cstdint>

#include "learn/models/fused_rows.h"

namespace qiao::learn {
namespace {

constexpr std::int64_t kGeluGrain = 1 << 14;  // values a thread takes at once

float* values_of(const torch::Tensor& x, float /*kind*/) {
  return x.data_ptr<float>();
}

Bfloat16* values_of(const torch::Tensor& x, Bfloat16 /*kind*/) {
  return reinterpret_cast<Bfloat16*>(x.data_ptr<at::BFloat16>());
}

template <typename Value>
void run(const torch::Tensor& x, const torch::Tensor& out) {
  const Value* from = values_of(x, Value());
  Value* to = values_of(out, Value());
  at::parallel_for(0, x.numel(), kGeluGrain, [&](std::int64_t begin, std::int64_t end) {
    gelu_values(from + begin, end - begin, to + begin);
  });
}

template <typename Value>
void run_back(const torch::Tensor& x, const torch::Tensor& gradient, const torch::Tensor& out) {
  const Value* from = values_of(x, Value());
  const Value* given = values_of(gradient, Value());
  Value* to = values_of(out, Value());
  at::parallel_for(0, x.numel(), kGeluGrain, [&](std::int64_t begin, std::int64_t end) {
    gelu_values_back(from + begin, given + begin, end - begin, to + begin);
  });
}

bool is_wide(const torch::Tensor& x) {
  return x.scalar_type() == torch::kFloat;
}

class FusedGelu : public torch::autograd::Function<FusedGelu> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x) {
    const torch::Tensor dense = x.contiguous();
    context->save_for_backward({dense});
    const torch::Tensor out = torch::empty_like(dense);
    is_wide(x) ? run<float>(dense, out) : run<Bfloat16>(dense, out);
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const torch::Tensor x = context->get_saved_variables()[0];
    const torch::Tensor gradient = gradients[0].contiguous();
    const torch::Tensor out = torch::empty_like(x);
    is_wide(x) ? run_back<float>(x, gradient, out) : run_back<Bfloat16>(x, gradient, out);
    return {out};
  }
};

}  // namespace

torch::Tensor gelu_by_tanh(const torch::Tensor& x) {
  const bool fused = x.is_cpu() && (is_wide(x) || x.scalar_type() == torch::kBFloat16);
  return fused ? FusedGelu::apply(x) : torch::gelu(x, "tanh");
}

}  // namespace qiao::learn
