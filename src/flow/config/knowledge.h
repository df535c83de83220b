// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "flow/config/flow_config.h"
#include "understand/understander.h"

namespace qiao {

struct KnowledgeHit {
  const KnowledgeEntry* entry = nullptr;
  double score = 0;      // in [0,1], as the semantic routes' scores
  std::string question;  // the one it was nearest to
};

// Finds the entries whose questions are nearest to a text. Every question is an example of its
// own to an Understander, so that knowledge and routes share one scale (dense and BM25, or BM25
// alone without an encoder); an entry's score is its best question's.
//
// Immutable after make(); thread-safe; the hits point into `config`, which must outlive them.
class KnowledgeBase : public std::enable_shared_from_this<KnowledgeBase> {
 public:
  using OnHits = std::function<void(std::vector<KnowledgeHit>)>;

  // Encodes all questions (blocks: at start only).
  static Result<std::shared_ptr<const KnowledgeBase>> make(const KnowledgeConfig& config,
                                                           Encoders encoders);

  // Calls back with at most config.top entries of at least `related`, best first; returns at once.
  void find(std::string text, OnHits done) const;

 private:
  struct Question {
    const KnowledgeEntry* entry = nullptr;
    std::string text;
  };

  explicit KnowledgeBase(const KnowledgeConfig& config)
      : related_(config.related), top_(config.top) {}
  [[nodiscard]] std::vector<KnowledgeHit> fold(const std::vector<Scored>& scores) const;

  const double related_;
  const std::size_t top_;
  std::map<std::string, Question> questions_;  // by label
  std::shared_ptr<const Understander> understander_;
};

}  // namespace qiao
