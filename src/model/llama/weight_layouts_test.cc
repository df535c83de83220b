// SPDX-License-Identifier: Apache-2.0
#include "model/llama/weight_layouts.h"

#include <gtest/gtest.h>

#include "model/llama/llama_handles.h"

namespace qiao::model {
namespace {

// If this fails, the compiler got ggml's kernels wrong: models still answer, but slower.
TEST(WeightLayouts, RearrangedWeightsGiveTheSameSums) {
  start_llama();
  int tried = 0;
  for (const ggml_type type : {GGML_TYPE_Q4_0, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, GGML_TYPE_Q8_0}) {
    const auto error = rearranging_error(type);
    if (!error) continue;
    ++tried;
    EXPECT_LT(*error, 1e-3) << ggml_type_name(type);
    // The two forms add in different orders: an error of nothing at all would mean that the
    // same kernel ran twice.
    EXPECT_GT(*error, 0) << ggml_type_name(type);
  }
  if (tried == 0) GTEST_SKIP() << "ggml rearranges nothing on this processor";
  EXPECT_TRUE(rearranging_is_right());
}

}  // namespace
}  // namespace qiao::model
