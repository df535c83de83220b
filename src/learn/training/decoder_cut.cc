// SPDX-License-Identifier: Apache-2.0
#include "learn/training/decoder_cut.h"

#include <algorithm>
#include <string>

namespace qiao::learn {
namespace {

using Chosen = DecoderCut::Chosen;

Chosen layers_of(const LanguageModelShape& shape, const DecoderCut& cut) {
  if (!cut.layers.empty()) return cut.layers;
  Chosen all;
  for (std::int64_t i = 0; i < shape.layers; ++i) all.push_back(i);
  return all;
}

LanguageModelShape shape_after(const LanguageModelShape& shape, const DecoderCut& cut) {
  LanguageModelShape after = shape;
  after.layer_heads.clear();
  after.layer_kv_heads.clear();
  after.layer_inner.clear();
  const Chosen layers = layers_of(shape, cut);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto layer = static_cast<std::size_t>(layers[i]);
    const std::int64_t shared = shape.kv_heads_of(layer);
    const std::int64_t stay = cut.groups.empty() ? shared : std::ssize(cut.groups[i]);
    after.layer_kv_heads.push_back(stay);
    after.layer_heads.push_back(shape.heads_of(layer) / shared * stay);
    after.layer_inner.push_back(cut.neurons.empty() ? shape.inner_of(layer)
                                                    : std::ssize(cut.neurons[i]));
  }
  after.layers = std::ssize(layers);
  const std::vector<std::int64_t>& inner = after.layer_inner;
  after.inner = *std::max_element(inner.begin(), inner.end());
  const auto all_are = [](const std::vector<std::int64_t>& sizes, std::int64_t size) {
    return std::all_of(sizes.begin(), sizes.end(), [&](std::int64_t one) { return one == size; });
  };
  if (all_are(inner, after.inner) && all_are(after.layer_kv_heads, shape.kv_heads)) {
    after.layer_heads.clear();
    after.layer_kv_heads.clear();
    after.layer_inner.clear();
  }
  return after;
}

// The rows of `parts`, each `size` wide.
Chosen rows_of(const Chosen& parts, std::int64_t size) {
  Chosen rows;
  for (const std::int64_t part : parts) {
    for (std::int64_t i = 0; i < size; ++i) rows.push_back(part * size + i);
  }
  return rows;
}

// What of the tensor `part` of a layer stays: the side that is cut, and its places.
struct Slice {
  std::int64_t side = 0;
  Chosen places;  // empty: all
};

Slice slice_of(const std::string& part, const LanguageModelShape& shape, std::size_t layer,
               const Chosen* groups, const Chosen* neurons) {
  const std::int64_t head = shape.width / shape.heads;
  const std::int64_t queries = shape.heads_of(layer) / shape.kv_heads_of(layer);
  const auto of_groups = [&](std::int64_t size) {
    return groups == nullptr ? Chosen() : rows_of(*groups, size);
  };
  if (part.starts_with("attn_q.")) return {0, of_groups(head * queries)};
  if (part.starts_with("attn_k.") || part.starts_with("attn_v.")) return {0, of_groups(head)};
  if (part.starts_with("attn_output.")) return {1, of_groups(head * queries)};
  const Chosen of_neurons = neurons == nullptr ? Chosen() : *neurons;
  if (part.starts_with("ffn_gate.") || part.starts_with("ffn_up.")) return {0, of_neurons};
  if (part.starts_with("ffn_down.")) return {1, of_neurons};
  return {};
}

}  // namespace

LanguageBundle cut_decoder(const LanguageBundle& from, const DecoderCut& cut) {
  const torch::NoGradGuard no_grad;
  LanguageBundle out{shape_after(from.shape, cut), from.codec, nullptr, Json::object()};
  out.model = make_language_model(out.shape, 0);
  const auto source = from.model->named_parameters();
  const Chosen layers = layers_of(from.shape, cut);
  for (auto& [name, target] : weights_of(*out.model)) {
    constexpr std::string_view kLayer = "blk.";
    if (!name.starts_with(kLayer)) {
      target.copy_(source[name]);
      continue;
    }
    const std::size_t dot = name.find('.', kLayer.size());
    const auto at = static_cast<std::size_t>(std::stoul(name.substr(kLayer.size())));
    const auto layer = static_cast<std::size_t>(layers[at]);
    const std::string part = name.substr(dot + 1);
    const Slice slice =
        slice_of(part, from.shape, layer, cut.groups.empty() ? nullptr : &cut.groups[at],
                 cut.neurons.empty() ? nullptr : &cut.neurons[at]);
    const torch::Tensor whole = source["blk." + std::to_string(layer) + "." + part];
    target.copy_(
        slice.places.empty() ? whole : whole.index_select(slice.side, torch::tensor(slice.places)));
  }
  out.model->eval();
  return out;
}

}  // namespace qiao::learn
