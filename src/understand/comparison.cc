// SPDX-License-Identifier: Apache-2.0
#include "understand/comparison.h"

#include <algorithm>
#include <optional>

namespace qiao {
namespace {

std::string best_label(const HeadAnswer& answer) {
  return answer.labels.empty() ? "" : answer.labels.front().label;
}

std::string best_label(const HeadLabels& head) {
  return head.name + "=" + head.labels.front().label;
}

// The mean confidence of the best labels; none where there are no labels.
std::optional<double> confidence_of(const HeadAnswer& answer) {
  if (!answer.labels.empty()) return answer.labels.front().score;
  if (answer.heads.empty()) return std::nullopt;
  double sum = 0;
  for (const HeadLabels& head : answer.heads) sum += head.labels.front().score;
  return sum / static_cast<double>(answer.heads.size());
}

using LabelPair = std::pair<std::string, std::string>;

// Heads that say other labels, or that only one of both has.
void add_head_differences(const HeadAnswer& current, const HeadAnswer& candidate,
                          std::vector<LabelPair>& out) {
  for (const HeadLabels& one : current.heads) {
    const HeadLabels* other = candidate.head(one.name);
    LabelPair labels{best_label(one), other == nullptr ? "" : best_label(*other)};
    if (labels.first != labels.second) out.push_back(std::move(labels));
  }
  for (const HeadLabels& one : candidate.heads) {
    if (current.head(one.name) == nullptr) out.emplace_back("", best_label(one));
  }
}

bool is_same(const Entity& a, const Entity& b) {
  return a.kind == b.kind && a.begin == b.begin && a.end == b.end;
}

// The first of `entities` that shares a letter with `one`, or nullptr.
const Entity* overlapping(const std::vector<Entity>& entities, const Entity& one) {
  const auto found = std::find_if(entities.begin(), entities.end(), [&](const Entity& other) {
    return other.begin < one.end && one.begin < other.end;
  });
  return found == entities.end() ? nullptr : &*found;
}

// Null when there are none.
Json quantile(std::vector<double> values, double share) {
  if (values.empty()) return nullptr;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

}  // namespace

bool Comparison::add(const std::string& message_id, const TimedAnswer& current,
                     const TimedAnswer& candidate) {
  add_to(current_, current);
  add_to(candidate_, candidate);
  ++compared_;
  const std::vector<LabelPair> different = differences(current.answer, candidate.answer);
  for (const LabelPair& pair : different) {
    ++differences_;
    auto found = disagreements_.find(pair);
    if (found == disagreements_.end()) {
      if (disagreements_.size() == kPairsMax) continue;
      found = disagreements_.emplace(pair, Disagreement{}).first;
    }
    ++found->second.count;
    found->second.message_id = message_id;
  }
  agreed_ += different.empty() ? 1U : 0U;
  return different.empty();
}

Json Comparison::figures() const {
  Json pairs = told_pairs();
  std::uint64_t told = 0;
  for (const Json& pair : pairs) told += pair["count"].get<std::uint64_t>();
  Json agreement = nullptr;
  if (compared_ > 0) agreement = static_cast<double>(agreed_) / static_cast<double>(compared_);
  return {{"compared", compared_},
          {"agreed", agreed_},
          {"agreement", std::move(agreement)},
          {"current", figures_of(current_)},
          {"candidate", figures_of(candidate_)},
          {"disagreements", std::move(pairs)},
          {"disagreements_left_out", differences_ - told}};
}

// A label in another's place; an entity in the place of another, or where there is none.
std::vector<Comparison::LabelPair> Comparison::differences(const HeadAnswer& current,
                                                           const HeadAnswer& candidate) {
  std::vector<LabelPair> out;
  LabelPair labels{best_label(current), best_label(candidate)};
  if (labels.first != labels.second) out.push_back(std::move(labels));
  add_head_differences(current, candidate, out);
  for (const Entity& one : current.entities) {
    const Entity* other = overlapping(candidate.entities, one);
    if (other != nullptr && is_same(*other, one)) continue;
    out.emplace_back(one.kind, other == nullptr ? "" : other->kind);
  }
  for (const Entity& one : candidate.entities) {
    if (overlapping(current.entities, one) == nullptr) out.emplace_back("", one.kind);
  }
  return out;
}

Json Comparison::figures_of(const Side& side) {
  Json confidence = nullptr;
  if (side.labelled > 0) confidence = side.confidence / static_cast<double>(side.labelled);
  return {{"confidence", std::move(confidence)},
          {"p50_ms", quantile(side.times_ms, 0.5)},
          {"p99_ms", quantile(side.times_ms, 0.99)}};
}

void Comparison::add_to(Side& side, const TimedAnswer& said) const {
  if (const auto confidence = confidence_of(said.answer)) {
    side.confidence += *confidence;
    ++side.labelled;
  }
  if (side.times_ms.size() < kTimesMax) {
    side.times_ms.push_back(said.ms);
  } else {
    side.times_ms[compared_ % kTimesMax] = said.ms;
  }
}

Json Comparison::told_pairs() const {
  using Row = std::map<LabelPair, Disagreement>::value_type;
  std::vector<const Row*> rows;
  for (const Row& row : disagreements_) rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row* a, const Row* b) { return a->second.count > b->second.count; });
  Json out = Json::array();
  for (std::size_t i = 0; i < std::min(rows.size(), kPairsTold); ++i) {
    out.push_back({{"current", rows[i]->first.first},
                   {"candidate", rows[i]->first.second},
                   {"count", rows[i]->second.count},
                   {"message", rows[i]->second.message_id}});
  }
  return out;
}

}  // namespace qiao
