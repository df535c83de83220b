// SPDX-License-Identifier: Apache-2.0
#include "learn/models/lora.h"

#include <algorithm>

#include "learn/files/decoder_gguf.h"
#include "learn/models/projection.h"

namespace qiao::learn {
namespace {

// Every projection with its name (`blk.0.attn_q`, `layer0.attention.query`).
template <class Use>
void each_projection(torch::nn::Module& model, const Use& use) {
  for (const auto& item : model.named_modules()) {
    if (auto* projection = item.value()->as<ProjectionImpl>()) use(item.key(), *projection);
  }
}

}  // namespace

LoraOptions encoder_lora(std::int64_t rank) {
  constexpr double kScale = 2;  // as that of a decoder
  return {rank, kScale * double(rank), 0.05, {"query", "key", "value", "output", "up", "down"}};
}

Status check(const LoraOptions& options) {
  constexpr std::int64_t kRankMax = 1024;
  if (options.rank < 1 || options.rank > kRankMax || options.alpha <= 0 || options.dropout < 0 ||
      options.dropout >= 1) {
    return invalid_argument("--rank must be 1 to 1,024, --alpha above 0, --dropout below 1");
  }
  return {};
}

Json to_json(const LoraOptions& options) {
  return {{"rank", options.rank},
          {"alpha", options.alpha},
          {"dropout", options.dropout},
          {"targets", options.targets}};
}

Status add_adapters(torch::nn::Module& model, const LoraOptions& options) {
  for (torch::Tensor& weight : model.parameters()) weight.set_requires_grad(false);
  bool found = false;
  std::string names;
  each_projection(model, [&](const std::string& name, ProjectionImpl& projection) {
    const std::string layer = name.substr(name.rfind('.') + 1);
    if (names.find(layer) == std::string::npos) names += (names.empty() ? "" : ", ") + layer;
    const auto& targets = options.targets;
    if (std::find(targets.begin(), targets.end(), layer) == targets.end()) return;
    projection.add_adapter(options.rank, options.alpha / double(options.rank), options.dropout);
    found = true;
  });
  if (found) return {};
  return invalid_argument("the model has none of the layers of --targets; it has " + names);
}

void merge_adapters(torch::nn::Module& model) {
  each_projection(model, [](const std::string&, ProjectionImpl& projection) {
    if (projection.adapted()) projection.merge_adapter();
  });
}

NamedTensors adapter_weights(torch::nn::Module& model) {
  NamedTensors out;
  each_projection(model, [&](const std::string& name, ProjectionImpl& projection) {
    if (!projection.adapted()) return;
    out.emplace_back(name + ".weight.lora_a", projection.lora_a);
    out.emplace_back(name + ".weight.lora_b", projection.lora_b);
  });
  return out;
}

Status export_adapter(Disk& disk, const std::string& path, LanguageModel& model,
                      Architecture architecture, const LoraOptions& options,
                      const std::string& name) {
  model::GgufWriter gguf;
  gguf.set("general.type", "adapter");
  gguf.set("general.architecture", gguf_architecture(architecture));
  gguf.set("general.name", name);
  gguf.set("adapter.type", "lora");
  gguf.set("adapter.lora.alpha", static_cast<float>(options.alpha));
  const NamedTensors weights = adapter_weights(model);
  for (const auto& [key, tensor] : weights) {
    QIAO_TRY(gguf.add_tensor(key, tensor.sizes().vec(), false));
  }
  return write_gguf(disk, path, gguf, [&](std::size_t index) -> Result<std::vector<float>> {
    const torch::Tensor flat = weights[index].second.detach().cpu().to(torch::kFloat).contiguous();
    const float* values = flat.data_ptr<float>();
    return std::vector<float>(values, values + flat.numel());
  });
}

}  // namespace qiao::learn
