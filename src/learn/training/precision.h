// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace qiao::learn {

// True when the device (models/device.h) multiplies bfloat16 in hardware; without that binary32 is
// faster. Of CUDA devices it is taken for granted (since Ampere, 2020): `--fp32` for older ones.
bool has_bfloat16();

// While it lives, matrix products on this thread run in bfloat16 (when `on`); weights, sums and
// norms stay binary32. One at a time.
class Bfloat16Scope {
 public:
  explicit Bfloat16Scope(bool on);
  ~Bfloat16Scope();
  Bfloat16Scope(const Bfloat16Scope&) = delete;
  Bfloat16Scope& operator=(const Bfloat16Scope&) = delete;

 private:
  bool on_;
};

}  // namespace qiao::learn
