// SPDX-License-Identifier: Apache-2.0
#include "flow/config/head_check.h"

#include <algorithm>
#include <set>

#include "text/entities.h"
#include "understand/sentiment_head.h"
#include "understand/trained_heads.h"

namespace qiao {
namespace {

constexpr std::size_t kShownLabels = 12;

// A label that something of the flow needs.
struct Need {
  std::string label;
  std::string who;  // "route refunds"
};

void add_needs(const FlowConfig& flow, const HeadConfig& head, const Route& route,
               std::vector<Need>& needs) {
  const std::string who = "route " + route.name;
  const Condition& when = *route.when;
  if (head.name == kIntentHead && when.intent && !flow.intents.contains(*when.intent)) {
    needs.push_back({*when.intent, who});
  }
  if (head.name == kSentimentHead && when.sentiment) needs.push_back({*when.sentiment, who});
  const auto other = when.heads.find(head.name);
  if (other != when.heads.end()) needs.push_back({other->second, who});
}

std::vector<Need> needs_of(const FlowConfig& flow, const HeadConfig& head) {
  std::vector<Need> needs;
  for (const Route& route : flow.routes.routes) {
    if (route.when) add_needs(flow, head, route, needs);
  }
  if (head.name == kIntentHead && flow.end.intent && !flow.intents.contains(*flow.end.intent)) {
    needs.push_back({*flow.end.intent, "the end"});
  }
  return needs;
}

// Of the head that the flow means, by the flow's names.
std::set<std::string> labels_of(const HeadConfig& head, const TextHead& bundle) {
  const TextHead::Part* part = bundle.part(head_in_bundle(head.name, head.head));
  std::set<std::string> labels;
  for (const std::string& label : part == nullptr ? bundle.labels() : bundle.labels_of(*part)) {
    const auto renamed = head.labels.find(label);
    labels.insert(renamed == head.labels.end() ? label : renamed->second);
  }
  return labels;
}

std::string listed(const std::set<std::string>& labels) {
  std::string out;
  std::size_t shown = 0;
  for (const std::string& label : labels) {
    if (shown++ == kShownLabels) return out + ", … " + std::to_string(labels.size()) + " in all";
    out += (out.empty() ? "" : ", ") + label;
  }
  return out;
}

// Whether the bundle has the head that the flow means.
Status check_part(const HeadConfig& head, const TextHead& bundle, const std::string& where) {
  if (bundle.parts().empty()) {
    if (head.head.empty()) return {};
    return Error{Code::kPrecondition, where + " needs the head \"" + head.head +
                                          "\" of the bundle " + head.bundle +
                                          ", which has one head only: leave `head` away"};
  }
  const std::string& wanted = head_in_bundle(head.name, head.head);
  if (bundle.part(wanted) != nullptr) return {};
  std::set<std::string> has;
  for (const TextHead::Part& part : bundle.parts()) has.insert(part.name);
  return Error{Code::kPrecondition, where + " needs the head \"" + wanted + "\"; the bundle " +
                                        head.bundle + " has the heads: " + listed(has) +
                                        " (`head: NAME` says which is meant)"};
}

}  // namespace

Status check_head(const FlowConfig& flow, const HeadConfig& head, const TextHead& bundle) {
  const std::string where = "flow " + flow.name + ": head " + head.name;
  QIAO_TRY(check_part(head, bundle, where));
  const std::set<std::string> labels = labels_of(head, bundle);
  const bool tags = bundle.task() == HeadTask::kTag;
  const std::vector<Need> needs = needs_of(flow, head);
  if (tags && (head.name == kIntentHead || head.name == kSentimentHead || !needs.empty())) {
    return Error{Code::kPrecondition,
                 where + " needs a bundle that classifies, and " + head.bundle + " tags"};
  }
  std::string faults;
  for (const Need& need : needs) {
    if (labels.contains(need.label)) continue;
    faults += (faults.empty() ? "" : "; ") + need.who + " needs \"" + need.label + "\"";
  }
  for (const std::string& label : labels) {
    const bool known =
        std::find(kSentiments.begin(), kSentiments.end(), label) != kSentiments.end();
    if (head.name != kSentimentHead || known) continue;
    faults +=
        (faults.empty() ? "" : "; ") + ("\"" + label + "\" is no sentiment: name it in `labels`");
  }
  if (faults.empty()) return {};
  const std::string part =
      bundle.parts().empty() ? "" : ", head " + head_in_bundle(head.name, head.head) + ",";
  return Error{Code::kPrecondition, where + ": " + faults + "; the bundle " + head.bundle + part +
                                        " has: " + listed(labels)};
}

}  // namespace qiao
