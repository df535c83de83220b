// SPDX-License-Identifier: Apache-2.0
#include "learn/models/blas_threads.h"

#include <dlfcn.h>

namespace qiao::learn {
namespace {

// A function of OpenBLAS, which comes with libtorch as some BLAS; null when it is another.
template <class Function>
Function* find(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, name));
}

}  // namespace

void set_blas_threads(int threads) {
  static auto* const set = find<void(int)>("openblas_set_num_threads");
  if (set != nullptr) set(threads);
}

OneBlasThread::OneBlasThread(bool on) {
  static auto* const get = find<int()>("openblas_get_num_threads");
  if (!on || get == nullptr) return;
  before_ = get();
  set_blas_threads(1);
}

OneBlasThread::~OneBlasThread() {
  if (before_ > 0) set_blas_threads(before_);
}

}  // namespace qiao::learn
