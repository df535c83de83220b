// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "model/catalogue/catalogue.h"

namespace qiao::model {

// A BERT encoder in foreign files.
struct BertFiles {
  std::string format;     // "bert-onnx" or "bert-safetensors"
  std::string weights;    // paths
  std::string tokenizer;  // tokenizer.json or vocab.txt
  std::string config;     // config.json; may be empty when `hints` has heads and epsilon
};

// Writes the encoder as a GGUF that llama.cpp runs (architecture "bert"): matrices in binary16,
// norms, biases and positions in binary32, what the file holds as int8 in Q8_0 with the same
// numbers (all of it in binary32 where `hints` says so), the vocabulary in WPM form, pooling from
// `hints`.
// The pooler and any head are left out. Every shape is checked against the others first; what
// llama.cpp's BERT graph cannot express (relative positions, another activation) is
// `unsupported`. On an Error `gguf_path` may be there, unfinished. Blocks.
Status convert_bert(const BertFiles& files, const ConvertHints& hints, const std::string& name,
                    const std::string& gguf_path,
                    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress,
                    std::stop_token stop = {});

}  // namespace qiao::model
