// SPDX-License-Identifier: Apache-2.0
#include "flow/config/knowledge.h"

#include <algorithm>

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
  for (const KnowledgeEntry& entry : config.entries) {
    for (const auto* questions : {&entry.questions_zh, &entry.questions_en}) {
      for (const std::string& question : *questions) {
        const std::string label = std::to_string(base->questions_.size());
        base->questions_[label] = {&entry, question};
        spec.likes[label] = {question};
      }
    }
  }
  QIAO_ASSIGN(base->understander_, Understander::make(std::move(spec), std::move(encoders)));
  return std::shared_ptr<const KnowledgeBase>(std::move(base));
}

void KnowledgeBase::find(std::string text, OnHits done) const {
  if (questions_.empty()) return done({});
  understander_->annotate({std::move(text)},
                          [self = shared_from_this(), done = std::move(done)](Annotations found) {
                            done(self->fold(found.likes));
                          });
}

std::vector<KnowledgeHit> KnowledgeBase::fold(const std::vector<Scored>& scores) const {
  std::vector<KnowledgeHit> hits;
  for (const Scored& scored : scores) {
    const auto question = questions_.find(scored.label);
    if (question == questions_.end() || scored.score < related_) continue;
    if (!hits.empty() && scored.score < hits.front().score - kFarBehind) break;  // best come first
    const KnowledgeEntry* entry = question->second.entry;
    const bool known = std::any_of(hits.begin(), hits.end(),
                                   [&](const KnowledgeHit& hit) { return hit.entry == entry; });
    if (!known) hits.push_back({entry, scored.score, question->second.text});
    if (hits.size() == top_) break;
  }
  return hits;
}

}  // namespace qiao
