// SPDX-License-Identifier: Apache-2.0
#include "flow/config/knowledge.h"

#include <utility>

#include "base/join.h"
#include "text/language.h"

namespace qiao {
namespace {

// An entry so much less alike than the best one is about something else: a model that read it
// would take longer to begin and no better answer.
constexpr double kFarBehind = 0.05;

}  // namespace

Result<std::shared_ptr<const KnowledgeBase>> KnowledgeBase::make(const KnowledgeConfig& config,
                                                                 Encoders encoders) {
  std::shared_ptr<KnowledgeBase> base(new KnowledgeBase(config));
  UnderstandSpec spec;
  for (std::size_t i = 0; i < config.entries.size(); ++i) {
    const KnowledgeEntry& entry = config.entries[i];
    base->entries_.push_back({&entry, {}});
    for (const bool chinese : {true, false}) {
      const auto& questions = chinese ? entry.questions_zh : entry.questions_en;
      const std::string& answer = chinese ? entry.answer.zh : entry.answer.en;
      for (const std::string& question : questions) {
        base->add(spec, {i, Kind::kQuestion, question}, question);
      }
      if (answer.empty()) continue;
      base->add(spec, {i, Kind::kAnswer, {}}, answer);
      std::vector<std::string> whole = questions;
      whole.push_back(answer);
      base->add(spec, {i, Kind::kWhole, {}}, join(whole, chinese ? "；" : "; "));
    }
  }
  QIAO_ASSIGN(base->understander_, Understander::make(std::move(spec), std::move(encoders)));
  return std::shared_ptr<const KnowledgeBase>(std::move(base));
}

void KnowledgeBase::add(UnderstandSpec& spec, Side side, std::string example) {
  if (const auto language = detect_language(example)) {
    entries_[side.entry]
        .has[static_cast<std::size_t>(*language)][static_cast<std::size_t>(side.kind)] = true;
  }
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

double KnowledgeBase::score_of(const Entry& entry, const Nearest& nearest,
                               const Annotations& found) const {
  const double best = *std::max_element(nearest.best.begin(), nearest.best.end());
  if (found.embedding.empty() || !found.language) return best;
  const auto& has = entry.has[static_cast<std::size_t>(*found.language)];
  double sum = 0;
  int count = 0;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    if (!has[kind]) continue;
    sum += nearest.best[kind];
    ++count;
  }
  return count > 0 ? sum / count : best;
}

std::vector<KnowledgeHit> KnowledgeBase::fold(const Annotations& found) const {
  std::vector<Nearest> nearest(entries_.size());
  for (const Scored& scored : found.likes) {  // best first
    const auto side = sides_.find(scored.label);
    if (side == sides_.end()) continue;
    Nearest& entry = nearest[side->second.entry];
    double& best = entry.best[static_cast<std::size_t>(side->second.kind)];
    if (scored.score <= best) continue;
    best = scored.score;
    if (side->second.kind == Kind::kQuestion) entry.question = side->second.text;
  }
  std::vector<KnowledgeHit> hits;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const double score = score_of(entries_[i], nearest[i], found);
    const double alike = nearest[i].best[static_cast<std::size_t>(Kind::kQuestion)];
    hits.push_back({entries_[i].entry, score, std::move(nearest[i].question), alike, 0});
  }
  const auto certain = [this](const KnowledgeHit& hit) { return hit.alike >= certain_; };
  std::stable_sort(hits.begin(), hits.end(), [&](const KnowledgeHit& a, const KnowledgeHit& b) {
    return std::pair{certain(a), certain(a) ? a.alike : a.score} >
           std::pair{certain(b), certain(b) ? b.alike : b.score};
  });
  const double next = hits.size() > 1 ? hits[1].score : 0;
  if (!found.embedding.empty()) hits[0].ahead = hits[0].score - next;
  const double near = std::max(related_, hits[0].score - kFarBehind);
  std::erase_if(hits, [&](const KnowledgeHit& hit) { return hit.score < near && !certain(hit); });
  hits.resize(std::min(hits.size(), top_));
  return hits;
}

}  // namespace qiao
