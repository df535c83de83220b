// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "flow/config/flow_config.h"
#include "understand/understander.h"

namespace qiao {

// Scores are in [0,1], on the scale of the semantic routes (understand/fusion.h).
struct KnowledgeHit {
  const KnowledgeEntry* entry = nullptr;
  double score = 0;      // how well the entry fits as a whole
  std::string question;  // its nearest one
  double alike = 0;      // how near that is
  double ahead = 0;      // of the best hit: its score less that of the next entry; 0 by terms
                         // alone, whose lead says little
};

// How much a text is about the entry: what it has in common with a question of it or with all of
// it, whichever is more.
inline double strength(const KnowledgeHit& hit) {
  return std::max(hit.score, hit.alike);
}

// Finds the entries that fit a text. Every question, every answer and every entry as a whole is an
// example of its own to an Understander, so that knowledge and routes share one scale (dense and
// BM25, or BM25 alone without an encoder). An entry's score is the mean of its best question, its
// answer and the whole, as far as it has them in the text's language, which finds more than
// questions alone do (docs/concepts/understanding.md); without an encoder the best of the three,
// as terms are few.
//
// Immutable after make(); thread-safe. The hits point into `config`: who reads them keeps it. A
// find() that ends late does not.
class KnowledgeBase : public std::enable_shared_from_this<KnowledgeBase> {
 public:
  using OnHits = std::function<void(std::vector<KnowledgeHit>)>;

  // Encodes all of them (blocks: at start only).
  static Result<std::shared_ptr<const KnowledgeBase>> make(const KnowledgeConfig& config,
                                                           Encoders encoders);

  // Calls back with at most config.top entries, best first: those as near as `certain` by a
  // question, then those of at least `related`. Returns at once.
  void find(std::string text, OnHits done) const;

 private:
  // What a label stands for: a question of an entry, its answer, or the whole of it.
  enum class Kind : std::uint8_t { kQuestion, kAnswer, kWhole };
  static constexpr std::size_t kKinds = 3;
  struct Side {
    std::size_t entry = 0;
    Kind kind = Kind::kQuestion;
    std::string text;  // of a question
  };
  struct Entry {
    const KnowledgeEntry* entry = nullptr;
    std::array<std::array<bool, kKinds>, 2> has{};  // by language: what an encoder compares
  };
  // How near a text is to each kind of side of one entry.
  struct Nearest {
    std::array<double, kKinds> best{};
    std::string question;
  };

  explicit KnowledgeBase(const KnowledgeConfig& config)
      : certain_(config.certain), related_(config.related), top_(config.top) {}
  void add(UnderstandSpec& spec, Side side, std::string example);
  [[nodiscard]] double score_of(const Entry& entry, const Nearest& nearest,
                                const Annotations& found) const;
  [[nodiscard]] std::vector<KnowledgeHit> fold(const Annotations& found) const;

  const double certain_;
  const double related_;
  const std::size_t top_;
  std::vector<Entry> entries_;
  std::map<std::string, Side> sides_;  // by label
  std::shared_ptr<const Understander> understander_;
};

}  // namespace qiao
