// SPDX-License-Identifier: Apache-2.0
#include "understand/message_judge.h"

#include <algorithm>
#include <utility>

#include "text/entities.h"
#include "text/language.h"

namespace qiao {
namespace {

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

}  // namespace

Model* encoder_of(const Encoders& encoders, std::optional<Language> language) {
  if (!language) return nullptr;
  return *language == Language::kChinese ? encoders.chinese.get() : encoders.english.get();
}

std::string_view encoder_name(Language language) {
  return language == Language::kChinese ? "encoder-zh" : "encoder-en";
}

MessageJudge::MessageJudge(UnderstandSpec spec, std::vector<Label> labels, ExampleIndex index,
                           Heads heads)
    : spec_(std::move(spec)),
      labels_(std::move(labels)),
      index_(std::move(index)),
      heads_(std::move(heads)) {}

Result<MessageJudge> MessageJudge::make(UnderstandSpec spec, const Encoders& encoders) {
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
  Heads heads = spec.sentiment ? heads_for(encoders) : Heads();
  return MessageJudge(std::move(spec), std::move(labels), std::move(index), std::move(heads));
}

MessageJudge::Heads MessageJudge::heads_for(const Encoders& encoders) {
  Heads heads;
  for (const Language language : {Language::kEnglish, Language::kChinese}) {
    Model* encoder = encoder_of(encoders, language);
    auto head = SentimentHead::builtin(language);
    if (encoder == nullptr || !head || !head->fits(*encoder)) continue;
    heads[static_cast<std::size_t>(language)] = std::move(*head);
  }
  return heads;
}

Annotations MessageJudge::judge(const std::string& text, std::vector<float> vector) const {
  Annotations annotations;
  annotations.language = detect_language(text);
  annotations.entities = entities_of(text, spec_.entities);
  annotations.embedding = std::move(vector);
  if (annotations.language && wants_vector() && annotations.embedding.empty()) {
    annotations.missing.emplace_back(encoder_name(*annotations.language));
  }
  if (spec_.sentiment) fill_sentiment(annotations);
  fill_scores(text, annotations);
  return annotations;
}

void MessageJudge::fill_sentiment(Annotations& annotations) const {
  if (!annotations.language) return;  // a number, an emoji: nothing that could be judged
  const auto& head = heads_[static_cast<std::size_t>(*annotations.language)];
  const auto judged = head ? head->judge(annotations.embedding) : std::nullopt;
  if (judged) {
    annotations.sentiment = judged->label;
    annotations.sentiment_score = judged->score;
  } else {
    annotations.missing.emplace_back("sentiment");
  }
}

void MessageJudge::fill_scores(const std::string& text, Annotations& annotations) const {
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

}  // namespace qiao
