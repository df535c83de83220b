// SPDX-License-Identifier: Apache-2.0
#include "learn/tokenizers/merge_trainer.h"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <utility>

namespace qiao::learn {
namespace {

using Pair = std::uint64_t;  // left in the upper half

constexpr Pair pair_of(std::uint32_t left, std::uint32_t right) {
  return Pair{left} << 32U | right;
}

class MergeTrainer {
 public:
  explicit MergeTrainer(std::vector<CountedWord> words) : words_(std::move(words)) {
    for (std::uint32_t word = 0; word < words_.size(); ++word) {
      const auto& symbols = words_[word].symbols;
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        change(pair_of(symbols[i], symbols[i + 1]), word, true);
      }
    }
    for (const auto& [pair, facts] : pairs_) queue_.push({facts.count, pair});
    touched_.clear();
  }

  std::vector<Merge> run(std::uint32_t symbols, std::size_t merges_max) {
    constexpr std::int64_t kLeast = 2;
    std::vector<Merge> merges;
    while (merges.size() < merges_max && !queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      const auto found = pairs_.find(best.pair);
      if (found == pairs_.end() || found->second.count != best.count) continue;  // an old count
      if (best.count < kLeast) break;
      const Merge merge{static_cast<std::uint32_t>(best.pair >> 32U),
                        static_cast<std::uint32_t>(best.pair)};
      apply(merge, symbols + static_cast<std::uint32_t>(merges.size()));
      merges.push_back(merge);
    }
    return merges;
  }

 private:
  struct Facts {
    std::int64_t count = 0;
    std::vector<std::uint32_t> words;  // that have it, perhaps had it
  };
  struct Candidate {
    std::int64_t count;
    Pair pair;
    bool operator<(const Candidate& other) const {  // the greatest is merged first
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  void change(Pair pair, std::uint32_t word, bool more) {
    Facts& facts = pairs_[pair];
    const auto count = static_cast<std::int64_t>(words_[word].count);
    facts.count += more ? count : -count;
    if (more && (facts.words.empty() || facts.words.back() != word)) facts.words.push_back(word);
    touched_.push_back(pair);
  }

  void apply(Merge merge, std::uint32_t made) {
    const std::vector<std::uint32_t> words =
        std::move(pairs_[pair_of(merge.left, merge.right)].words);
    touched_.clear();
    for (const std::uint32_t word : words) rewrite(word, merge, made);
    pairs_.erase(pair_of(merge.left, merge.right));
    std::sort(touched_.begin(), touched_.end());
    touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
    for (const Pair pair : touched_) {
      const auto found = pairs_.find(pair);
      if (found == pairs_.end()) continue;
      if (found->second.count > 0) {
        queue_.push({found->second.count, pair});
      } else {
        pairs_.erase(found);
      }
    }
  }

  // Takes the pairs around what is merged away, merges, and counts them anew.
  void rewrite(std::uint32_t word, Merge merge, std::uint32_t made) {
    std::vector<std::uint32_t>& symbols = words_[word].symbols;
    const auto has = [&](std::size_t i) {
      return i + 1 < symbols.size() && symbols[i] == merge.left && symbols[i + 1] == merge.right;
    };
    std::size_t first = 0;
    while (first < symbols.size() && !has(first)) ++first;
    if (first == symbols.size()) return;
    std::size_t last = first;
    for (std::size_t i = first; i < symbols.size(); ++i) {
      if (has(i)) last = i;
    }
    const std::size_t from = first > 0 ? first - 1 : 0;
    const std::size_t kept = symbols.size() - (last + 2);  // at the end, with the pairs among them
    const auto change_pairs = [&](bool more) {
      for (std::size_t i = from; i + 1 < symbols.size() && i < symbols.size() - kept; ++i) {
        change(pair_of(symbols[i], symbols[i + 1]), word, more);
      }
    };
    change_pairs(false);
    std::size_t to = first;
    for (std::size_t i = first; i < symbols.size(); ++to) {
      const bool merged = has(i);
      const std::uint32_t symbol = merged ? made : symbols[i];
      i += merged ? 2 : 1;
      symbols[to] = symbol;
    }
    symbols.resize(to);
    change_pairs(true);
  }

  std::vector<CountedWord> words_;
  std::unordered_map<Pair, Facts> pairs_;
  std::priority_queue<Candidate> queue_;
  std::vector<Pair> touched_;
};

}  // namespace

std::vector<Merge> learn_merges(std::vector<CountedWord> words, std::uint32_t symbols,
                                std::size_t merges_max) {
  return MergeTrainer(std::move(words)).run(symbols, merges_max);
}

}  // namespace qiao::learn
