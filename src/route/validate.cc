// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <set>
#include <string_view>

#include "message/subject.h"
#include "route/condition.h"
#include "route/route.h"

namespace qiao {
namespace {

constexpr std::string_view kAgentPrefix = "agent.";

bool is_share(double value) {
  return std::isfinite(value) && value >= 0 && value <= 1;
}

// Collects the faults of one table, one a line.
class Faults {
 public:
  void add(const Route& route, std::string_view what) {
    add("route " + (route.name.empty() ? std::string("without a name") : route.name) + ": " +
        std::string(what));
  }
  void add(const std::string& what) { text_.append(text_.empty() ? "" : "\n").append(what); }
  [[nodiscard]] Status result() && {
    if (text_.empty()) return {};
    return invalid_argument(std::move(text_));
  }

 private:
  std::string text_;
};

void check_target(const Route& route, Faults& faults) {
  if (route.to.empty()) {
    faults.add(route, "no target; set `to` to agent.NAME or a subject");
  } else if (route.to.starts_with(kAgentPrefix)) {
    if (route.to.size() == kAgentPrefix.size()) faults.add(route, "`to: agent.` names no agent");
  } else if (const Status status = validate_subject(route.to); !status) {
    faults.add(route, "`to` is no agent.NAME and no subject: " + status.error().message);
  }
}

void check_facts(const Route& route, Faults& faults) {
  for (const auto& [name, wanted] : route.when->facts) {
    const impl::Comparison comparison = impl::parse_comparison(wanted);
    const bool ordered = comparison.sign != "=" && comparison.sign != "!=";
    if (name.empty()) faults.add(route, "a fact without a name");
    if (ordered && !impl::as_number(comparison.value)) {
      faults.add(route, "fact " + name + ": " + std::string(comparison.sign) +
                            " needs a number, for example \">= 2\"");
    }
  }
}

void check_condition(const Route& route, Faults& faults) {
  const Condition& when = *route.when;
  if (impl::is_empty(when)) faults.add(route, "`when` tests nothing");
  if (!is_share(when.score_min)) faults.add(route, "`score` is between 0 and 1");
  if (when.score_min > 0 && !when.intent && !when.sentiment && when.heads.empty())
    faults.add(route, "`score` needs `intent`, `sentiment` or a trained head beside it");
  for (const std::string& word : when.words) {
    if (word.empty()) faults.add(route, "an empty word");
  }
  check_facts(route, faults);
}

void check_route(const Route& route, Faults& faults) {
  if (route.name.empty()) faults.add(route, "set `name`");
  check_target(route, faults);
  const bool chosen = route.when || !route.like.empty();
  if (chosen == route.otherwise) {
    faults.add(route, "set `when`, `like` or both of them, or `otherwise: true` alone");
  }
  if (!is_share(route.threshold)) faults.add(route, "`threshold` is between 0 and 1");
  if (route.when) check_condition(route, faults);
  for (const std::string& example : route.like) {
    if (example.empty()) faults.add(route, "an empty example");
  }
}

}  // namespace

Status validate(const RouteTable& table) {
  Faults faults;
  std::set<std::string_view> names;
  const Route* otherwise = nullptr;
  if (!is_share(table.threshold)) faults.add("thresholds.semantic is between 0 and 1");
  if (!is_share(table.margin)) faults.add("thresholds.margin is between 0 and 1");
  for (const Route& route : table.routes) {
    check_route(route, faults);
    if (!route.name.empty() && !names.insert(route.name).second)
      faults.add(route, "another route has the same name");
    if (!route.otherwise) continue;
    if (otherwise != nullptr)
      faults.add(route, "`otherwise: true` stands already at " + otherwise->name);
    otherwise = &route;
  }
  return std::move(faults).result();
}

}  // namespace qiao
