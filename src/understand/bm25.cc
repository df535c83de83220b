// SPDX-License-Identifier: Apache-2.0
#include "understand/bm25.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "understand/weak_terms.h"

namespace qiao {
namespace {

constexpr double kRepeats = 1.2;  // BM25's k1: the second time a term counts 0.375 more, not 1
// What either side lacks counts the same.
constexpr double kQueryShare = 0.5;

// BM25's length term is left out (b = 0): both texts' weights stand in the denominator already.
double saturate(double count) {
  return count * (kRepeats + 1) / (count + kRepeats);
}

double rarity(double texts, double holders) {
  return std::log(1 + (texts - holders + 0.5) / (holders + 0.5));
}

std::map<std::string, double> count_terms(std::string_view text) {
  std::map<std::string, double> counts;
  for (std::string& term : terms_of(text)) counts[std::move(term)] += 1;
  for (auto& [term, count] : counts) count = saturate(count);
  return counts;
}

}  // namespace

Bm25::Bm25(const std::vector<std::string>& texts) : weights_(texts.size(), 0) {
  for (std::uint32_t text = 0; text < texts.size(); ++text) {
    for (const auto& [term, repeats] : count_terms(texts[text])) {
      const auto [at, added] = ids_.try_emplace(term, static_cast<std::uint32_t>(terms_.size()));
      if (added) terms_.emplace_back();
      terms_[at->second].postings.push_back({text, repeats});
    }
  }
  const auto count = static_cast<double>(texts.size());
  for (const auto& [term, id] : ids_) {
    const auto holders = static_cast<double>(terms_[id].postings.size());
    terms_[id].weight = rarity(count, holders) * share_of_term(term);
    for (const Posting& posting : terms_[id].postings) {
      weights_[posting.text] += terms_[id].weight * posting.repeats;
    }
  }
  unknown_weight_ = rarity(count, 1);
}

Bm25::Weighed Bm25::weigh(std::string_view text) const {
  Weighed query;
  for (const auto& [term, repeats] : count_terms(text)) {
    const auto id = ids_.find(term);
    const bool known = id != ids_.end();
    if (known) query.terms.emplace_back(id->second, repeats);
    query.weight +=
        (known ? terms_[id->second].weight : unknown_weight_ * share_of_term(term)) * repeats;
  }
  return query;
}

std::vector<double> Bm25::likeness(const Weighed& query) const {
  std::vector<double> shared(weights_.size(), 0);
  for (const auto& [id, repeats] : query.terms) {
    const Term& term = terms_[id];
    for (const Posting& posting : term.postings) {
      shared[posting.text] += term.weight * std::min(repeats, posting.repeats);
    }
  }
  for (std::size_t i = 0; i < shared.size(); ++i) {
    const double whole = kQueryShare * query.weight + (1 - kQueryShare) * weights_[i];
    shared[i] = whole > 0 ? std::min(1.0, shared[i] / whole) : 0;
  }
  return shared;
}

}  // namespace qiao
