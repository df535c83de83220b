// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "model/convert_bert.h"
#include "model/testing/temp_folder.h"
#include "model/testing/tiny_bert.h"

namespace qiao::testing {

// The tiny BERT as a GGUF file in `folder`: an encoder of 8 numbers that llama.cpp can run.
inline std::string tiny_encoder(const TempFolder& folder) {
  const model::BertFiles files{"bert-safetensors",
                               folder.write("model.safetensors", tiny_safetensors(tiny_bert())),
                               folder.write("tokenizer.json", tiny_tokenizer(true)), ""};
  const std::string path = folder / "tiny.gguf";
  const auto done = model::convert_bert(files, {"mean", 2, 1e-5, 1}, "tiny", path, nullptr);
  EXPECT_TRUE(done) << done.error().message;
  return path;
}

}  // namespace qiao::testing
