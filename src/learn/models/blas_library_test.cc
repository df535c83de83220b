// SPDX-License-Identifier: Apache-2.0
#include "learn/models/blas_library.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace qiao::learn {
namespace {

TEST(BlasLibrary, IsToldByItsFile) {
  const auto name = [](const char* file) { return blas_library_of(file).name; };
  EXPECT_EQ(name("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0"), "reference");
  EXPECT_EQ(name("/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3"), "openblas");
  EXPECT_EQ(name("/home/openblas/lib/blas/libblas.so.3"), "reference");
  EXPECT_EQ(name("/opt/conda/lib/libopenblasp-r0.3.21.so"), "openblas");
  EXPECT_EQ(name("/usr/lib/x86_64-linux-gnu/libmkl_rt.so"), "mkl");
  EXPECT_EQ(name("/opt/libtorch/lib/libtorch_cpu.so"), "");
}

TEST(BlasLibrary, OfThisProcessIsThere) {
  const BlasLibrary mine = blas_library();
  EXPECT_TRUE(mine.file.empty() || std::filesystem::exists(mine.file)) << mine.file;
  EXPECT_FALSE(mine.name.empty() && mine.file.empty());
}

}  // namespace
}  // namespace qiao::learn
