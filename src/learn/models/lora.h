// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/json.h"
#include "learn/models/language_model.h"

namespace qiao::learn {

struct LoraOptions {
  std::int64_t rank = 16;
  double alpha = 32;  // the change counts alpha / rank
  double dropout = 0.05;
  // Layers by their names in the model, without the block; a decoder's are GGUF's.
  std::vector<std::string> targets = {"attn_q",      "attn_k",   "attn_v", "attn_qkv",
                                      "attn_output", "ffn_gate", "ffn_up", "ffn_down"};
};
// For all layers of an encoder.
LoraOptions encoder_lora(std::int64_t rank);
Status check(const LoraOptions& options);
Json to_json(const LoraOptions& options);

// Gives the target layers an adapter and keeps every other weight as it is. invalid_argument when
// the model has none of the layers.
Status add_adapters(torch::nn::Module& model, const LoraOptions& options);
void merge_adapters(torch::nn::Module& model);

// The adapters by the names of their layers, as llama.cpp reads a decoder's
// (`blk.0.attn_q.weight.lora_a`), sharing memory with the model.
NamedTensors adapter_weights(torch::nn::Module& model);

// Writes them as a GGUF that llama.cpp loads beside the base model.
Status export_adapter(Disk& disk, const std::string& path, LanguageModel& model,
                      Architecture architecture, const LoraOptions& options,
                      const std::string& name);

}  // namespace qiao::learn
