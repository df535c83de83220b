// SPDX-License-Identifier: Apache-2.0
#include "model/gguf/gguf_values.h"

#include <ggml.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace qiao::model {
namespace {

// Every number type that trained files come in, written by ggml and read back: near what it was.
TEST(GgufValues, ReadsWhatGgmlQuantises) {
  constexpr std::int64_t kRow = 256;
  Rng chance(3);
  std::vector<float> values(2 * kRow);
  for (float& value : values) value = static_cast<float>(chance.unit() * 2 - 1);
  const std::pair<ggml_type, double> types[] = {
      {GGML_TYPE_Q4_0, 0.14}, {GGML_TYPE_Q4_1, 0.08}, {GGML_TYPE_Q5_0, 0.08},
      {GGML_TYPE_Q5_1, 0.04}, {GGML_TYPE_Q8_0, 0.01}, {GGML_TYPE_Q4_K, 0.14},
      {GGML_TYPE_Q6_K, 0.04}, {GGML_TYPE_F16, 1e-3},  {GGML_TYPE_BF16, 1e-2}};
  for (const auto& [type, step] : types) {
    SCOPED_TRACE(ggml_type_name(type));
    const auto size = bytes_of_values(type, values.size(), kRow);
    ASSERT_TRUE(size) << size.error().message;
    std::string bytes(*size, '\0');
    ASSERT_EQ(ggml_quantize_chunk(type, values.data(), bytes.data(), 0, 2, kRow, nullptr), *size);
    const auto read = decode_values(type, bytes, values.size()).value();
    double worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      worst = std::max(worst, std::abs(double{read[i]} - double{values[i]}));
    }
    EXPECT_LT(worst, step);
  }
}

TEST(GgufValues, RefusesWhatIsNone) {
  EXPECT_EQ(bytes_of_values(GGML_TYPE_Q4_K, 64, 64).error().code, Code::kCorrupt);
  EXPECT_EQ(bytes_of_values(9999, 64, 64).error().code, Code::kUnsupported);
  EXPECT_EQ(bytes_of_values(GGML_TYPE_I32, 64, 64).error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace qiao::model
