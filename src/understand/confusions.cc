// SPDX-License-Identifier: Apache-2.0
#include "understand/confusions.h"

#include <algorithm>

#include "understand/example_index.h"

namespace qiao {
namespace {

bool is_graver(const Confusion& a, const Confusion& b) {
  return a.against - a.own > b.against - b.own;
}

}  // namespace

Result<std::vector<Confusion>> find_confusions(
    const std::map<std::string, std::vector<std::string>>& labels, Encoders encoders) {
  std::vector<std::string> names;
  std::vector<Example> examples;
  for (const auto& [name, texts] : labels) {
    for (const std::string& text : texts) examples.push_back({names.size(), text});
    names.push_back(name);
  }
  ExampleIndex index(std::move(examples), names.size());
  QIAO_TRY(index.encode(encoders));

  std::vector<Confusion> confusions;
  for (std::size_t i = 0; i < index.examples().size(); ++i) {
    const Example& example = index.examples()[i];
    if (labels.at(names[example.label]).size() < 2) continue;
    const auto scores = index.match({example.text, index.language_of(i), index.vector_of(i), i});
    std::size_t other = example.label;
    for (std::size_t label = 0; label < scores.size(); ++label) {
      if (scores[label].score > scores[other].score) other = label;
    }
    if (other == example.label || scores[other].score < kEvenScore) continue;
    confusions.push_back({names[example.label], example.text, names[other],
                          scores[example.label].score, scores[other].score,
                          index.examples()[scores[other].example].text});
  }
  std::stable_sort(confusions.begin(), confusions.end(), is_graver);
  if (confusions.size() > kConfusionsMax) confusions.resize(kConfusionsMax);
  return confusions;
}

}  // namespace qiao
