// SPDX-License-Identifier: Apache-2.0
#include "learn/models/dropout.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace qiao::learn {
namespace {

constexpr std::int64_t kGrain = 1 << 15;  // pairs a thread takes at once
constexpr double kWays = 65536;           // a hash decides about two values

// A 32-bit hash with little bias (Wellons 2018, "lowbias32").
std::uint32_t mix(std::uint32_t x) {
  x ^= x >> 16U;
  x *= 0x7feb352dU;
  x ^= x >> 15U;
  x *= 0x846ca68bU;
  return x ^ (x >> 16U);
}

struct Chance {
  std::uint32_t seed;
  std::uint32_t dropped;  // of kWays
  float kept;

  // Writes 0 or `kept` to the pairs of values [begin, end), of `count` values in all.
  void fill(float* to, std::int64_t begin, std::int64_t end, std::int64_t count) const {
    constexpr std::uint32_t kLow = 0xffffU;
    const std::int64_t whole = std::min(end, count / 2);
    for (std::int64_t i = begin; i < whole; ++i) {
      const std::uint32_t drawn = mix(mix(static_cast<std::uint32_t>(i)) ^ seed);
      to[2 * i] = (drawn & kLow) < dropped ? 0.0F : kept;
      to[2 * i + 1] = (drawn >> 16U) < dropped ? 0.0F : kept;
    }
    if (whole == end) return;
    const std::uint32_t drawn = mix(mix(static_cast<std::uint32_t>(whole)) ^ seed);
    to[2 * whole] = (drawn & kLow) < dropped ? 0.0F : kept;
  }
};

}  // namespace

torch::Tensor drop(const torch::Tensor& x, double share, bool training) {
  if (!training || share <= 0) return x;
  if (!x.is_cpu()) return torch::dropout(x, share, true);
  const auto seed =
      static_cast<std::uint32_t>(torch::empty({1}, torch::kLong).random_().item<std::int64_t>());
  const Chance chance{seed, static_cast<std::uint32_t>(std::lround(share * kWays)),
                      static_cast<float>(1 / (1 - share))};
  const torch::Tensor mask = torch::empty(x.sizes(), torch::kFloat);
  const std::int64_t count = mask.numel();
  float* to = mask.data_ptr<float>();
  at::parallel_for(0, (count + 1) / 2, kGrain, [&](std::int64_t begin, std::int64_t end) {
    chance.fill(to, begin, end, count);
  });
  return x * mask.to(x.scalar_type());
}

}  // namespace qiao::learn
