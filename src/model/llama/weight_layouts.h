// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ggml.h>

#include <optional>

namespace qiao::model {

// ggml can rearrange quantised weights when it loads them, for kernels that read prompts about
// twice as fast. Some compilers get those kernels wrong (g++ 12 with AVX-512: noise instead of
// answers), so they are tried before they are used.

// How far the product of a matrix of `type` in ggml's rearranged form is from that of the same
// matrix as files have it: relative, 2-norm, the worst of several widths. Nothing when ggml
// rearranges no such matrix on this processor. Thread-safe; some milliseconds.
std::optional<double> rearranging_error(ggml_type type);

// Whether every type that chat models come in is within rounding. Tried once a process.
bool rearranging_is_right();

}  // namespace qiao::model
