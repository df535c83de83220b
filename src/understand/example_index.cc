// SPDX-License-Identifier: Apache-2.0
#include "understand/example_index.h"

#include <algorithm>
#include <numeric>

#include "text/language.h"
#include "text/normalise.h"
#include "understand/background.h"
#include "understand/clauses.h"

namespace qiao {
namespace {

constexpr std::size_t kEncodeBatch = 32;

std::vector<std::string> texts_of(const std::vector<Example>& examples) {
  std::vector<std::string> texts;
  texts.reserve(examples.size());
  std::transform(examples.begin(), examples.end(), std::back_inserter(texts),
                 [](const Example& example) { return example.text; });
  return texts;
}

double cosine_of(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0F);
}

}  // namespace

ExampleIndex::ExampleIndex(std::vector<Example> examples, std::size_t labels)
    : examples_(std::move(examples)),
      labels_(labels),
      bm25_(texts_of(examples_)),
      vectors_(examples_.size()) {
  for (const Example& example : examples_) {
    languages_.push_back(detect_language(example.text));
    keys_.push_back(match_key(example.text));
  }
}

Status ExampleIndex::encode(const Encoders& encoders) {
  if (encoders.chinese) QIAO_TRY(encode_language(Language::kChinese, *encoders.chinese));
  if (encoders.english) QIAO_TRY(encode_language(Language::kEnglish, *encoders.english));
  return {};
}

Status ExampleIndex::encode_language(Language language, Model& encoder) {
  std::vector<std::size_t> ours;
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    if (languages_[i] == language) ours.push_back(i);
  }
  if (ours.empty()) return {};
  QIAO_ASSIGN(background_[static_cast<std::size_t>(language)],
              encode_background(language, encoder));
  for (std::size_t begin = 0; begin < ours.size(); begin += kEncodeBatch) {
    const std::size_t end = std::min(ours.size(), begin + kEncodeBatch);
    std::vector<std::string> texts;
    for (std::size_t i = begin; i < end; ++i) texts.push_back(examples_[ours[i]].text);
    QIAO_ASSIGN(Embeddings made, embed_and_wait(encoder, std::move(texts)));
    if (made.size() != end - begin) return internal("the encoder answered for other texts");
    for (std::size_t i = begin; i < end; ++i) vectors_[ours[i]] = std::move(made[i - begin]);
  }
  return {};
}

std::span<const float> ExampleIndex::vector_of(std::size_t example) const {
  return vectors_[example];
}

std::vector<std::optional<Nearness>> ExampleIndex::measure(const ExampleQuery& query) const {
  std::vector<std::optional<Nearness>> measured(examples_.size());
  if (query.vector.empty() || !query.language) return measured;
  const auto& background = background_[static_cast<std::size_t>(*query.language)];
  if (background.size() != query.vector.size()) return measured;
  const double usual = cosine_of(query.vector, background);
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    if (vectors_[i].size() != query.vector.size() || languages_[i] != query.language) continue;
    measured[i] = {cosine_of(query.vector, vectors_[i]), usual};
  }
  return measured;
}

std::vector<double> ExampleIndex::score_examples(const ExampleQuery& query) const {
  std::vector<double> scores = bm25_.likeness(bm25_.weigh(query.text));
  const std::vector<std::optional<Nearness>> measured = measure(query);
  const std::string key = match_key(query.text);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const bool same = !key.empty() && key == keys_[i];
    scores[i] = same ? 1 : fuse({scores[i], measured[i]});
  }
  return scores;
}

std::vector<LabelScore> ExampleIndex::best_of_labels(const std::vector<double>& scores,
                                                     const ExampleQuery& query) const {
  std::vector<LabelScore> labels(labels_);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    LabelScore& label = labels[examples_[i].label];
    if (query.without == i || scores[i] <= label.score) continue;
    label = {scores[i], i};
  }
  return labels;
}

// "Terrible service, I am very angry": no example says both, but each clause has one. A label may
// score the mean of its clauses, each weighed by what it says.
void ExampleIndex::raise_by_clauses(const ExampleQuery& query,
                                    std::vector<LabelScore>& labels) const {
  const std::vector<std::string_view> clauses = clauses_of(query.text);
  if (clauses.size() < 2) return;
  std::vector<LabelScore> means(labels.size());
  std::vector<double> heaviest(labels.size(), 0);
  double whole = 0;
  for (const std::string_view clause : clauses) {
    const double weight = bm25_.weigh(clause).weight;
    ExampleQuery part = query;
    part.text = clause;
    part.vector = {};
    const std::vector<LabelScore> found = best_of_labels(score_examples(part), part);
    whole += weight;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      means[i].score += weight * found[i].score;
      if (weight * found[i].score <= heaviest[i]) continue;
      heaviest[i] = weight * found[i].score;
      means[i].example = found[i].example;
    }
  }
  if (whole <= 0) return;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    means[i].score /= whole;
    if (means[i].score > labels[i].score) labels[i] = means[i];
  }
}

std::vector<LabelScore> ExampleIndex::match(const ExampleQuery& query) const {
  std::vector<LabelScore> labels = best_of_labels(score_examples(query), query);
  raise_by_clauses(query, labels);
  return labels;
}

}  // namespace qiao
