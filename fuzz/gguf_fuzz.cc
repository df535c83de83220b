// SPDX-License-Identifier: Apache-2.0
// Heads of GGUF files: whatever is taken is within the bounds that keep llama.cpp from harm.
#include <cstdint>

#include "fuzz_input.h"
#include "model/gguf/gguf_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const qiao::fuzz::InputFile file(qiao::fuzz::text_of(data, size));
  const auto summary = qiao::model::check_gguf(file.path());
  if (!summary) return 0;
  QIAO_CHECK(summary->tensors <= qiao::model::kGgufTensorsMax);
  QIAO_CHECK(summary->bytes == size);
  return 0;
}
