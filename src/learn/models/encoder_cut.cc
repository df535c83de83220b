// SPDX-License-Identifier: Apache-2.0
#include "learn/models/encoder_cut.h"

#include <algorithm>

namespace qiao::learn {
namespace {

using Chosen = EncoderCut::Chosen;

torch::Tensor chosen_of(const torch::Tensor& tensor, std::int64_t side, const Chosen& chosen) {
  return chosen.empty() ? tensor : tensor.index_select(side, torch::tensor(chosen));
}

void copy_linear(const Projection& from, Projection& to, const Chosen& rows,
                 const Chosen& columns) {
  to->weight.copy_(chosen_of(chosen_of(from->weight, 0, rows), 1, columns));
  to->bias.copy_(chosen_of(from->bias, 0, rows));
}

void copy_norm(const torch::nn::LayerNorm& from, torch::nn::LayerNorm& to, const Chosen& columns) {
  to->weight.copy_(chosen_of(from->weight, 0, columns));
  to->bias.copy_(chosen_of(from->bias, 0, columns));
}

// The rows of a projection that belong to the heads.
Chosen rows_of_heads(const Chosen& heads, std::int64_t head_width) {
  Chosen rows;
  for (const std::int64_t head : heads) {
    for (std::int64_t i = 0; i < head_width; ++i) rows.push_back(head * head_width + i);
  }
  return rows;
}

void copy_layer(const EncoderLayer& from, EncoderLayer& to, const Chosen& head_rows,
                const Chosen& neurons, const Chosen& columns) {
  copy_linear(from->attention->query, to->attention->query, head_rows, columns);
  copy_linear(from->attention->key, to->attention->key, head_rows, columns);
  copy_linear(from->attention->value, to->attention->value, head_rows, columns);
  copy_linear(from->attention->output, to->attention->output, columns, head_rows);
  copy_norm(from->attention_norm, to->attention_norm, columns);
  copy_linear(from->up, to->up, neurons, columns);
  copy_linear(from->down, to->down, columns, neurons);
  copy_norm(from->output_norm, to->output_norm, columns);
}

Chosen layers_of(const EncoderShape& shape, const EncoderCut& cut) {
  if (!cut.layers.empty()) return cut.layers;
  Chosen all;
  for (std::int64_t i = 0; i < shape.layers; ++i) all.push_back(i);
  return all;
}

bool alike(const std::vector<std::int64_t>& sizes) {
  return std::all_of(sizes.begin(), sizes.end(),
                     [&](std::int64_t size) { return size == sizes.front(); });
}

}  // namespace

EncoderShape shape_after(const EncoderShape& shape, const EncoderCut& cut) {
  EncoderShape after = shape;
  std::vector<std::int64_t> heads;
  std::vector<std::int64_t> inner;
  const Chosen layers = layers_of(shape, cut);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto layer = static_cast<std::size_t>(layers[i]);
    heads.push_back(cut.heads.empty() ? shape.heads_of(layer) : std::ssize(cut.heads[i]));
    inner.push_back(cut.neurons.empty() ? shape.inner_of(layer) : std::ssize(cut.neurons[i]));
  }
  after.layers = std::ssize(layers);
  if (!cut.columns.empty()) {
    after.width = std::ssize(cut.columns);
    after.heads = after.width / shape.head_width();
  }
  after.inner = *std::max_element(inner.begin(), inner.end());
  after.layer_inner = alike(inner) ? std::vector<std::int64_t>() : inner;
  const bool whole = alike(heads) && heads.front() == after.heads;
  after.layer_heads = whole ? std::vector<std::int64_t>() : heads;
  if (!cut.pieces.empty()) after.vocabulary = std::ssize(cut.pieces);
  return after;
}

TextModel cut_model(const TextModel& from, Task task, const EncoderCut& cut, double dropout) {
  const torch::NoGradGuard no_grad;
  const EncoderShape& before = from->encoder->shape();
  TextModel out(shape_after(before, cut), task, from->head->weight.size(0), dropout);
  const Encoder& source = from->encoder;
  Encoder& target = out->encoder;
  target->words->weight.copy_(
      chosen_of(chosen_of(source->words->weight, 0, cut.pieces), 1, cut.columns));
  target->positions->weight.copy_(chosen_of(source->positions->weight, 1, cut.columns));
  target->types->weight.copy_(chosen_of(source->types->weight, 1, cut.columns));
  copy_norm(source->norm, target->norm, cut.columns);
  const Chosen layers = layers_of(before, cut);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Chosen heads =
        cut.heads.empty() ? Chosen() : rows_of_heads(cut.heads[i], before.head_width());
    copy_layer(source->layers[static_cast<std::size_t>(layers[i])], target->layers[i], heads,
               cut.neurons.empty() ? Chosen() : cut.neurons[i], cut.columns);
  }
  out->head->weight.copy_(chosen_of(from->head->weight, 1, cut.columns));
  out->head->bias.copy_(from->head->bias);
  if (from->transitions.defined()) out->transitions.copy_(from->transitions);
  return out;
}

}  // namespace qiao::learn
