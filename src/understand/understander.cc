// SPDX-License-Identifier: Apache-2.0
#include "understand/understander.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "text/entities.h"
#include "text/language.h"
#include "understand/example_index.h"

namespace qiao {
namespace {

struct Label {
  std::string name;
  bool intent = false;  // or a semantic route
};

std::vector<Entity> entities_of(std::string_view text, const std::vector<std::string>& kinds) {
  std::vector<Entity> entities;
  for (Span& span : find_entities(text, kinds)) {
    entities.push_back(
        {std::move(span.kind), std::move(span.text), std::move(span.value), span.begin, span.end});
  }
  return entities;
}

void sort_best_first(std::vector<Scored>& scored) {
  std::stable_sort(scored.begin(), scored.end(),
                   [](const Scored& a, const Scored& b) { return a.score > b.score; });
}

std::string_view encoder_name(Language language) {
  return language == Language::kChinese ? "encoder-zh" : "encoder-en";
}

class ExampleUnderstander final : public Understander,
                                  public std::enable_shared_from_this<ExampleUnderstander> {
 public:
  ExampleUnderstander(UnderstandSpec spec, Encoders encoders, std::vector<Label> labels,
                      ExampleIndex index)
      : spec_(std::move(spec)),
        encoders_(std::move(encoders)),
        labels_(std::move(labels)),
        index_(std::move(index)) {}

  void annotate(std::string text, OnAnnotated done) const override;
  void embed(std::string text, Language language, Model::OnEmbedded done) const override;

 private:
  [[nodiscard]] Model* encoder_of(std::optional<Language> language) const;
  [[nodiscard]] Annotations judge(const std::string& text, std::vector<float> vector) const;
  void fill_scores(const std::string& text, Annotations& annotations) const;

  const UnderstandSpec spec_;
  const Encoders encoders_;
  const std::vector<Label> labels_;
  ExampleIndex index_;
  const SystemClock clock_;
};

Model* ExampleUnderstander::encoder_of(std::optional<Language> language) const {
  if (!language) return nullptr;
  return *language == Language::kChinese ? encoders_.chinese.get() : encoders_.english.get();
}

void ExampleUnderstander::annotate(std::string text, OnAnnotated done) const {
  const std::int64_t began_us = clock_.steady_us();
  Model* encoder =
      labels_.empty() && !spec_.sentiment ? nullptr : encoder_of(detect_language(text));
  const auto finish = [self = shared_from_this(), began_us, done = std::move(done)](
                          const std::string& said, std::vector<float> vector) {
    Annotations annotations = self->judge(said, std::move(vector));
    annotations.ms = static_cast<double>(self->clock_.steady_us() - began_us) / 1000.0;
    done(std::move(annotations));
  };
  if (encoder == nullptr) return finish(text, {});
  std::vector<std::string> texts{text};
  encoder->embed(std::move(texts), [finish, said = std::move(text)](Result<Embeddings> made) {
    const bool whole = made && made->size() == 1;
    finish(said, whole ? std::move(made->front()) : std::vector<float>());
  });
}

void ExampleUnderstander::embed(std::string text, Language language, Model::OnEmbedded done) const {
  Model* encoder = encoder_of(language);
  if (encoder == nullptr) {
    return done(unavailable(std::string(encoder_name(language)) +
                            " is not installed: run `qiao model pull`"));
  }
  encoder->embed({std::move(text)}, std::move(done));
}

Annotations ExampleUnderstander::judge(const std::string& text, std::vector<float> vector) const {
  Annotations annotations;
  annotations.language = detect_language(text);
  annotations.entities = entities_of(text, spec_.entities);
  annotations.embedding = std::move(vector);
  const bool wants_vector = !labels_.empty() || spec_.sentiment;
  if (annotations.language && wants_vector && annotations.embedding.empty()) {
    annotations.missing.emplace_back(encoder_name(*annotations.language));
  }
  if (annotations.language && spec_.sentiment) annotations.missing.emplace_back("sentiment");
  fill_scores(text, annotations);
  return annotations;
}

void ExampleUnderstander::fill_scores(const std::string& text, Annotations& annotations) const {
  const std::vector<LabelScore> scores =
      index_.match({text, annotations.language, annotations.embedding, std::nullopt});
  double best = 0;
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    auto& group = labels_[i].intent ? annotations.intents : annotations.likes;
    group.push_back({labels_[i].name, scores[i].score});
    if (scores[i].score <= best) continue;
    best = scores[i].score;
    annotations.nearest_example = index_.examples()[scores[i].example].text;
  }
  sort_best_first(annotations.intents);
  sort_best_first(annotations.likes);
}

}  // namespace

Result<std::shared_ptr<const Understander>> Understander::make(UnderstandSpec spec,
                                                               Encoders encoders) {
  std::vector<Label> labels;
  std::vector<Example> examples;
  for (const auto* group : {&spec.intents, &spec.likes}) {
    for (const auto& [name, texts] : *group) {
      for (const std::string& text : texts) examples.push_back({labels.size(), text});
      labels.push_back({name, group == &spec.intents});
    }
  }
  ExampleIndex index(std::move(examples), labels.size());
  QIAO_TRY(index.encode(encoders));
  return std::make_shared<const ExampleUnderstander>(std::move(spec), std::move(encoders),
                                                     std::move(labels), std::move(index));
}

}  // namespace qiao
