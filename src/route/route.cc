// SPDX-License-Identifier: Apache-2.0
#include "route/route.h"

#include <algorithm>
#include <cmath>

#include "route/condition.h"

namespace qiao {
namespace {

using impl::score_text;

double threshold_of(const Route& route, const RouteTable& table) {
  return route.threshold > 0 ? route.threshold : table.threshold;
}

// One semantic route with its score.
struct Contender {
  const Route* route = nullptr;
  double score = 0;
};

// How much the message is like the route's examples; nothing: nobody compared them.
std::optional<double> likeness(const Route& route, const Annotations& annotations) {
  if (route.like.empty()) return std::nullopt;
  const auto found = std::find_if(annotations.likes.begin(), annotations.likes.end(),
                                  [&](const Scored& s) { return s.label == route.name; });
  if (found == annotations.likes.end()) return std::nullopt;
  return std::isfinite(found->score) ? std::clamp(found->score, 0.0, 1.0) : 0.0;
}

// The semantic routes of the table with their scores, best first; equals in the table's order.
std::vector<Contender> contenders_of(const Annotations& annotations, const RouteTable& table) {
  std::vector<Contender> contenders;
  for (const Route& route : table.routes) {
    if (route.when) continue;
    if (const auto score = likeness(route, annotations)) contenders.push_back({&route, *score});
  }
  std::stable_sort(contenders.begin(), contenders.end(),
                   [](const Contender& a, const Contender& b) { return a.score > b.score; });
  return contenders;
}

bool in_scope(const Annotations& annotations, const std::vector<Contender>& contenders,
              const RouteTable& table) {
  return std::any_of(annotations.intents.begin(), annotations.intents.end(),
                     [&](const Scored& s) {
                       return s.score >= table.threshold && s.label != kOutOfScopeLabel;
                     }) ||
         std::any_of(contenders.begin(), contenders.end(),
                     [&](const Contender& c) { return c.score >= threshold_of(*c.route, table); });
}

void take(Decision& decision, const Route& route, std::string tier, std::string reason) {
  decision.route = route.name;
  decision.to = route.to;
  decision.tier = std::move(tier);
  decision.reason = std::move(reason);
}

// Why `rule` takes the message, or nothing.
std::optional<std::string> why_takes(const Route& rule, const impl::Evidence& evidence,
                                     const std::vector<Contender>& contenders,
                                     const RouteTable& table) {
  if (!rule.when) return std::nullopt;
  auto why = impl::why_holds(*rule.when, evidence);
  if (!why || rule.like.empty()) return why;
  const double score = likeness(rule, evidence.annotations).value_or(0);
  const double needed = threshold_of(rule, table);
  const bool nearest = contenders.empty() || score >= contenders.front().score;
  if (score < needed || !nearest) return std::nullopt;
  return *why + ", like " + score_text(score) + " >= " + score_text(needed);
}

// The best contender that would send the message elsewhere than the first one.
const Contender* rival_of(const std::vector<Contender>& contenders) {
  const auto rival = std::find_if(contenders.begin(), contenders.end(), [&](const Contender& c) {
    return c.route->to != contenders.front().route->to;
  });
  return rival == contenders.end() ? nullptr : &*rival;
}

// Takes the best semantic route, or says why none wins.
void decide_by_likeness(const std::vector<Contender>& contenders, const RouteTable& table,
                        Decision& decision) {
  decision.tier = "reject";
  decision.reason = "no example to compare with";
  if (contenders.empty()) return;
  const Contender& best = contenders.front();
  decision.threshold = threshold_of(*best.route, table);
  std::string reason = best.route->name + " " + score_text(best.score);
  if (best.score < decision.threshold) {
    decision.reason = reason + " < " + score_text(decision.threshold);
    return;
  }
  reason.append(" >= ").append(score_text(decision.threshold));
  if (const Contender* rival = rival_of(contenders)) {
    const double lead = best.score - rival->score;
    const bool leads = lead >= table.margin;
    reason.append(", ").append(score_text(lead)).append(" ahead of ");
    reason.append(rival->route->name).append(leads ? " >= " : " < ");
    reason.append(score_text(table.margin));
    if (!leads) {
      decision.reason = std::move(reason);
      return;
    }
  }
  take(decision, *best.route, "semantic", std::move(reason));
}

}  // namespace

Decision route(const Message& message, const Annotations& annotations, const RouteTable& table) {
  const std::vector<Contender> contenders = contenders_of(annotations, table);
  Decision decision;
  decision.threshold = table.threshold;
  decision.margin = table.margin;
  decision.out_of_scope = !in_scope(annotations, contenders, table);
  for (const Contender& c : contenders) decision.scores.push_back({c.route->name, c.score});

  const std::string text = message.text();
  const impl::Evidence evidence{text, annotations, table.threshold, decision.out_of_scope};
  for (const Route& rule : table.routes) {
    if (auto why = why_takes(rule, evidence, contenders, table)) {
      take(decision, rule, "rule", *std::move(why));
      // The table knows what this is, unless the rule is for what it does not know.
      if (!rule.when->out_of_scope.value_or(false)) decision.out_of_scope = false;
      return decision;
    }
  }
  decide_by_likeness(contenders, table, decision);
  if (!decision.route.empty()) return decision;
  for (const Route& rest : table.routes) {
    if (!rest.otherwise) continue;
    take(decision, rest, "reject", std::move(decision.reason));
    break;
  }
  return decision;
}

}  // namespace qiao
