// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace qiao::learn {

// How many threads OpenBLAS uses for one product, which libtorch does not tell it. Without OpenBLAS
// these do nothing.
void set_blas_threads(int threads);

// While it lives (and `on`), a product runs on the thread that asks for it, as several ask at once.
// One at a time.
class OneBlasThread {
 public:
  explicit OneBlasThread(bool on);
  ~OneBlasThread();
  OneBlasThread(const OneBlasThread&) = delete;
  OneBlasThread& operator=(const OneBlasThread&) = delete;

 private:
  int before_ = 0;  // 0: nothing to put back
};

}  // namespace qiao::learn
