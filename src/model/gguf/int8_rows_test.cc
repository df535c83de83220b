// SPDX-License-Identifier: Apache-2.0
#include "model/gguf/int8_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/disk.h"
#include "base/random.h"
#include "base/testing/temp_folder.h"
#include "model/bundle/safetensors_writer.h"
#include "model/convert/convert_safetensors.h"
#include "model/convert/convert_weights.h"

namespace qiao::model {
namespace {

constexpr std::size_t kRow = 64;

// Rows of very different sizes, and one of zeros.
std::vector<float> uneven_matrix() {
  Rng rng(3);
  std::vector<float> values;
  for (const double size : {1.0, 1e-3, 50.0, 0.0}) {
    for (std::size_t i = 0; i < kRow; ++i) {
      values.push_back(static_cast<float>(size * (2 * rng.unit() - 1)));
    }
  }
  return values;
}

std::vector<float> values_of(const Int8Rows& rows) {
  std::vector<float> values;
  for (std::size_t i = 0; i < rows.numbers.size(); ++i) {
    values.push_back(static_cast<float>(rows.numbers[i]) * rows.scales[i / kRow]);
  }
  return values;
}

TEST(Int8Rows, EachRowIsWithinHalfItsOwnStep) {
  const std::vector<float> values = uneven_matrix();
  const Int8Rows rows = quantise_rows(values, kRow);
  const std::vector<float> back = values_of(rows);
  for (std::size_t i = 0; i < values.size(); ++i) {
    // A half, and what rounding the scale to binary16 adds at the greatest value.
    EXPECT_LE(std::abs(values[i] - back[i]), 0.57F * rows.scales[i / kRow]) << i;
  }
  EXPECT_EQ(rows.scales.back(), 0);
}

TEST(Int8Rows, QuantisingAgainChangesNothing) {
  const Int8Rows once = quantise_rows(uneven_matrix(), kRow);
  const Int8Rows twice = quantise_rows(values_of(once), kRow);
  EXPECT_EQ(once.numbers, twice.numbers);
  EXPECT_EQ(once.scales, twice.scales);
}

TEST(Int8Rows, BlocksOfAFileHoldTheSameNumbers) {
  const Int8Rows rows = quantise_rows(uneven_matrix(), kRow);
  const std::string bytes = q8_bytes(rows, kRow);
  ASSERT_EQ(bytes.size(), rows.numbers.size() / kQ8Block * (kQ8Block + 2));
  for (std::size_t i = 0; i < rows.numbers.size(); ++i) {
    const char* block = bytes.data() + i / kQ8Block * (kQ8Block + 2);
    std::uint16_t scale = 0;
    std::memcpy(&scale, block, 2);
    EXPECT_EQ(float_of_half(scale), rows.scales[i / kRow]);
    EXPECT_EQ(static_cast<std::int8_t>(block[2 + i % kQ8Block]), rows.numbers[i]);
  }
}

TEST(Int8Rows, AFileOfThemReadsAsTheirValues) {
  const Int8Rows rows = quantise_rows(uneven_matrix(), kRow);
  testing::TempFolder folder;
  SystemDisk disk;
  const std::string path = folder / "model.safetensors";
  ASSERT_TRUE(write_safetensors(disk, path,
                                {{"bert.x.weight", {4, kRow}, nullptr, rows.numbers.data()},
                                 {"bert.x.weight_scale", {4}, rows.scales.data()},
                                 {"y.weight", {1, 2}, nullptr, rows.numbers.data()}},
                                {}));
  const auto file = open_safetensors(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE((*file)->is_int8("x.weight"));
  EXPECT_FALSE((*file)->is_int8("x.weight_scale"));
  const auto tensor = (*file)->read("x.weight");
  ASSERT_TRUE(tensor) << tensor.error().message;
  EXPECT_EQ(tensor->values, values_of(rows));
  const auto unscaled = (*file)->read("y.weight");
  ASSERT_FALSE(unscaled);
  EXPECT_NE(unscaled.error().message.find("y.weight_scale"), std::string::npos);
}

}  // namespace
}  // namespace qiao::model
