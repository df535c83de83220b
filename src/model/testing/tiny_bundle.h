// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/json.h"
#include "model/bundle/safetensors_writer.h"
#include "model/bundle/wordpiece.h"

namespace qiao::testing {

// What a tiny bundle says: each word it knows leads to one label (or, for tags, is that tag).
struct TinyBundle {
  std::vector<std::string> labels;
  std::map<std::string, std::string> words;  // at most kTinyWords
  std::string task = "classify";
  double confidence = 8;  // how far the label of a word is ahead
  Json card = Json::object();
  // Of several, instead of `labels`, which then differ between them all; a word leads to one label
  // of each or of some, with blanks between them.
  std::map<std::string, std::vector<std::string>> heads = {};
};

inline constexpr std::size_t kTinyWidth = 16;
inline constexpr std::size_t kTinyWords = kTinyWidth - 1;
inline constexpr std::int64_t kTinyPositions = 32;

// The tensors of an encoder whose layers change nothing: the vector of a word is large in the
// number of its own and small elsewhere; [CLS] and the like are large in the last one.
struct TinyEncoder {
  std::vector<std::string> names;
  std::vector<std::vector<std::int64_t>> shapes;
  std::vector<std::vector<float>> values;

  void add(const std::string& name, const std::vector<std::int64_t>& shape, float value) {
    std::size_t count = 1;
    for (const std::int64_t side : shape) count *= static_cast<std::size_t>(side);
    names.push_back(name);
    shapes.push_back(shape);
    values.emplace_back(count, value);
  }
};

inline TinyEncoder tiny_encoder_tensors(std::size_t pieces) {
  constexpr std::size_t kControls = 5;
  constexpr std::int64_t kWide = kTinyWidth;
  TinyEncoder out;
  out.add("bert.embeddings.word_embeddings.weight", {static_cast<std::int64_t>(pieces), kWide}, 0);
  for (std::size_t i = 0; i < pieces; ++i) {
    const std::size_t at = i < kControls ? kTinyWidth - 1 : i - kControls;
    out.values[0][i * kTinyWidth + at] = 4;
  }
  out.add("bert.embeddings.position_embeddings.weight", {kTinyPositions, kWide}, 0);
  out.add("bert.embeddings.token_type_embeddings.weight", {2, kWide}, 0);
  const auto norm = [&](const std::string& name) {
    out.add(name + ".weight", {kWide}, 1);
    out.add(name + ".bias", {kWide}, 0);
  };
  const auto linear = [&](const std::string& name, std::int64_t to, std::int64_t from) {
    out.add(name + ".weight", {to, from}, 0);
    out.add(name + ".bias", {to}, 0);
  };
  norm("bert.embeddings.LayerNorm");
  const std::string layer = "bert.encoder.layer.0.";
  for (const char* part : {"query", "key", "value"}) {
    linear(layer + "attention.self." + part, kWide, kWide);
  }
  linear(layer + "attention.output.dense", kWide, kWide);
  norm(layer + "attention.output.LayerNorm");
  linear(layer + "intermediate.dense", kWide, kWide);
  linear(layer + "output.dense", kWide, kWide);
  norm(layer + "output.LayerNorm");
  return out;
}

// Writes a bundle in the form of `qiao train finetune` into `folder`, which is made.
inline void write_tiny_bundle(const std::string& folder, const TinyBundle& bundle) {
  std::filesystem::create_directories(folder);
  std::vector<std::string> pieces = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  const std::size_t controls = pieces.size();
  for (const auto& [word, label] : bundle.words) pieces.push_back(word);
  TinyEncoder tensors = tiny_encoder_tensors(pieces.size());
  std::vector<std::string> names = bundle.labels;
  for (const auto& [head, own] : bundle.heads) names.insert(names.end(), own.begin(), own.end());
  const auto labels = static_cast<std::int64_t>(names.size());
  tensors.add("classifier.weight", {labels, kTinyWidth}, 0);
  for (std::size_t i = controls; i < pieces.size(); ++i) {
    std::istringstream wanted(bundle.words.at(pieces[i]));
    for (std::string name; wanted >> name;) {
      const auto label = std::find(names.begin(), names.end(), name);
      ASSERT_NE(label, names.end()) << pieces[i];
      const auto row = static_cast<std::size_t>(label - names.begin());
      tensors.values.back()[row * kTinyWidth + i - controls] =
          static_cast<float>(bundle.confidence);
    }
  }
  tensors.add("classifier.bias", {labels}, 0);
  std::vector<model::NamedValues> rows;
  for (std::size_t i = 0; i < tensors.names.size(); ++i) {
    rows.push_back({tensors.names[i], tensors.shapes[i], tensors.values[i].data()});
  }
  SystemDisk disk;
  ASSERT_TRUE(model::write_safetensors(disk, folder + "/model.safetensors", rows, {}));
  const auto tokenizer = model::WordPiece::make(pieces, {});
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const Json config = {
      {"model_type", "bert"},
      {"hidden_act", "gelu"},
      {"num_attention_heads", 2},
      {"layer_norm_eps", 1e-12},
      {"max_position_embeddings", kTinyPositions},
      {"qiao", {{"pooling", "mean"}, {"task", bundle.task}, {"tokens_max", kTinyPositions}}}};
  const std::pair<const char*, std::string> files[] = {
      {"config.json", dump_json(config)},
      {"tokenizer.json", model::tokenizer_json(*tokenizer)},
      {"labels.json", dump_json(bundle.heads.empty() ? Json(bundle.labels) : Json(bundle.heads))},
      {"card.json", dump_json(bundle.card)}};
  for (const auto& [name, text] : files) {
    ASSERT_TRUE(write_file_atomic(disk, folder + "/" + name, text)) << name;
  }
}

}  // namespace qiao::testing
