// SPDX-License-Identifier: Apache-2.0
#include "flow/config/knowledge.h"

#include <array>
#include <utility>

namespace qiao {
namespace {

// An entry so much less alike than the best one is about something else: a model that read it
// would take longer to begin and no better answer.
constexpr double kFarBehind = 0.05;

std::string joined(const std::vector<std::string>& questions, std::string_view between) {
  std::string all;
  for (const std::string& question : questions) all += question + std::string(between);
  return all;
}

}  // namespace

Result<std::shared_ptr<const KnowledgeBase>> KnowledgeBase::make(const KnowledgeConfig& config,
                                                                 Encoders encoders) {
  std::shared_ptr<KnowledgeBase> base(new KnowledgeBase(config));
  UnderstandSpec spec;
  for (std::size_t i = 0; i < config.entries.size(); ++i) {
    const KnowledgeEntry& entry = config.entries[i];
    for (const bool chinese : {true, false}) {
      const auto& questions = chinese ? entry.questions_zh : entry.questions_en;
      const std::string& answer = chinese ? entry.answer.zh : entry.answer.en;
      for (const std::string& question : questions) {
        base->add(spec, {i, Side::Kind::kQuestion, question}, question);
      }
      if (answer.empty()) continue;
      base->add(spec, {i, Side::Kind::kAnswer, {}}, answer);
      base->add(spec, {i, Side::Kind::kWhole, {}},
                joined(questions, chinese ? "；" : "; ") + answer);
    }
  }
  QIAO_ASSIGN(base->understander_, Understander::make(std::move(spec), std::move(encoders)));
  return std::shared_ptr<const KnowledgeBase>(std::move(base));
}

void KnowledgeBase::add(UnderstandSpec& spec, Side side, std::string example) {
  const std::string label = std::to_string(sides_.size());
  sides_[label] = std::move(side);
  spec.likes[label] = {std::move(example)};
}

void KnowledgeBase::find(std::string text, OnHits done) const {
  if (sides_.empty()) return done({});
  understander_->annotate({std::move(text)},
                          [self = shared_from_this(), done = std::move(done)](
                              const Annotations& found) { done(self->fold(found)); });
}

std::vector<KnowledgeHit> KnowledgeBase::fold(const Annotations& found) const {
  struct Sides {
    std::array<double, 3> best{};  // by Side::Kind
    std::string question;
  };
  std::vector<Sides> all(config_.entries.size());
  for (const Scored& scored : found.likes) {  // best first
    const auto side = sides_.find(scored.label);
    if (side == sides_.end()) continue;
    Sides& sides = all[side->second.entry];
    double& best = sides.best[static_cast<std::size_t>(side->second.kind)];
    if (scored.score <= best) continue;
    best = scored.score;
    if (side->second.kind == Side::Kind::kQuestion) sides.question = side->second.text;
  }
  const bool by_terms = found.embedding.empty();
  std::vector<KnowledgeHit> hits;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto [question, answer, whole] = all[i].best;
    const double score =
        by_terms ? std::max({question, answer, whole}) : (question + answer + whole) / 3;
    hits.push_back({&config_.entries[i], score, std::move(all[i].question), question, 0});
  }
  const auto certain = [&](const KnowledgeHit& hit) { return hit.alike >= config_.certain; };
  std::stable_sort(hits.begin(), hits.end(), [&](const KnowledgeHit& a, const KnowledgeHit& b) {
    return std::pair{certain(a), certain(a) ? a.alike : a.score} >
           std::pair{certain(b), certain(b) ? b.alike : b.score};
  });
  if (hits.size() > 1 && !by_terms) hits[0].ahead = hits[0].score - hits[1].score;
  const double near = std::max(config_.related, hits[0].score - kFarBehind);
  std::erase_if(hits, [&](const KnowledgeHit& hit) { return hit.score < near && !certain(hit); });
  hits.resize(std::min(hits.size(), config_.top));
  return hits;
}

}  // namespace qiao
