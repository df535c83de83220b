// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "learn/files/language_bundle.h"
#include "model/convert/convert_weights.h"

namespace qiao::learn {

// A decoder in Hugging Face's form: a folder with config.json (`model_type` gpt2, llama or qwen2),
// model.safetensors or the parts of model.safetensors.index.json, and tokenizer.json.

// Whether config.json says that it is one.
bool is_decoder_config(const Json& config);

// `unsupported` names what our modules do not compute, `corrupt` what is missing or impossible.
Result<LanguageModelShape> decoder_shape_of(const Json& config);

// The weights by our names (GGUF's), as our modules have them: matrices of GPT-2 turned, for they
// stand there as [in, out]; rows of Llama's queries and keys in adjacent pairs, for they stand
// there in halves. One tensor at a time is in memory.
Result<std::unique_ptr<model::WeightFile>> open_decoder_weights(const std::filesystem::path& folder,
                                                                const LanguageModelShape& shape);

// All of it; llama.cpp tokenizes (see bpe_keys.h).
Result<LanguageBundle> load_decoder_folder(const std::filesystem::path& folder, double dropout);

// The file that stands for the weights: model.safetensors, else the list of its parts.
std::filesystem::path weights_file(const std::filesystem::path& folder);
// Bytes of all files with weights; 0 when one is not there.
std::uint64_t weights_bytes(const std::filesystem::path& folder);

}  // namespace qiao::learn
