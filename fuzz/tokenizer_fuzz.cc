// SPDX-License-Identifier: Apache-2.0
// tokenizer.json and vocab.txt of encoders to convert: every id that is given has its piece.
#include <cstdint>

#include "fuzz_input.h"
#include "model/convert/convert_vocabulary.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const qiao::fuzz::InputFile file(qiao::fuzz::text_of(data, size));
  const auto vocabulary = qiao::model::read_vocabulary(file.path(), -1);
  if (!vocabulary) return 0;
  const auto count = static_cast<std::int64_t>(vocabulary->pieces.size());
  QIAO_CHECK(vocabulary->pieces.size() <= qiao::model::kVocabularyMax);
  QIAO_CHECK(vocabulary->kinds.size() == vocabulary->pieces.size());
  for (const std::int32_t id :
       {vocabulary->pad, vocabulary->unknown, vocabulary->cls, vocabulary->separator})
    QIAO_CHECK(id >= 0 && id < count);
  QIAO_CHECK(vocabulary->mask >= -1 && vocabulary->mask < count);
  return 0;
}
