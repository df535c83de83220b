// SPDX-License-Identifier: Apache-2.0
#include "learn/training/precision.h"

#include <ATen/autocast_mode.h>

#include "learn/models/device.h"

namespace qiao::learn {

bool has_bfloat16() {
  if (!device().is_cpu()) return true;
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

Bfloat16Scope::Bfloat16Scope(bool on) : on_(on) {
  if (!on_) return;
  if (device().is_cpu()) {
    at::autocast::set_autocast_cpu_dtype(at::kBFloat16);
    at::autocast::set_cpu_enabled(true);
  } else {
    at::autocast::set_autocast_gpu_dtype(at::kBFloat16);
    at::autocast::set_enabled(true);
  }
  at::autocast::increment_nesting();
}

Bfloat16Scope::~Bfloat16Scope() {
  if (!on_) return;
  // The cache holds weights turned to bfloat16; the next step changes them.
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  if (device().is_cpu()) {
    at::autocast::set_cpu_enabled(false);
  } else {
    at::autocast::set_enabled(false);
  }
}

}  // namespace qiao::learn
