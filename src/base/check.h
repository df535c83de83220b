// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace qiao {

// Prints the broken invariant and aborts. Nothing a peer, file, model or user sends may get here.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace qiao

#define QIAO_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::qiao::check_failed(#condition, __FILE__, __LINE__))
#ifdef NDEBUG
#define QIAO_DCHECK(condition) static_cast<void>(0)
#else
#define QIAO_DCHECK(condition) QIAO_CHECK(condition)
#endif
