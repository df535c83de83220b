// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/language.h"
#include "base/result.h"
#include "message/annotations.h"
#include "message/message.h"

namespace qiao {

// One test of a rule. All given fields must hold.
struct Condition {
  std::optional<std::string> intent;
  std::optional<std::string> sentiment;
  std::map<std::string, std::string> heads;  // another trained head → its label
  std::optional<Language> language;
  std::optional<std::string> entity;         // a kind that must be present
  std::vector<std::string> words;            // any of them, compared without case
  std::optional<bool> out_of_scope;          // no intent and no semantic route above its threshold
  std::map<std::string, std::string> facts;  // name → value, or ">= 2" and the like
  double score_min = 0;                      // for intent, sentiment and heads
};

struct Route {
  std::string name;
  std::string to;                 // a subject, or "agent.<name>" of the flow
  std::optional<Condition> when;  // a rule …
  std::vector<std::string> like;  // … or examples (the semantic route); both: a rule for such texts
  double threshold = 0;           // of the likeness; 0: the table's
  bool otherwise = false;         // the route for everything else
};

struct RouteTable {
  std::vector<Route> routes;  // rules are tried in this order, then semantic routes by score
  double threshold = 0.62;    // for semantic routes and intents
  double margin = 0.03;       // the winner must lead the best route with another target by this
};

struct Decision {
  std::string route;  // Route::name; "" = rejected and no `otherwise` route
  std::string to;
  std::string tier;            // "rule", "semantic", "reject"; a flow adds others of its own
  std::string reason;          // "sentiment=negative score 0.97 >= 0.90", the same in any language
  std::vector<Scored> scores;  // of every semantic route, best first
  double threshold = 0;        // that the best semantic route had to reach
  double margin = 0;           // by which it had to lead
  bool out_of_scope = false;
};

Json to_json(const Decision& decision);
Result<Decision> decision_from_json(const Json& json);

// Decides where `message` goes: the first rule (`when`) that holds; else the best semantic route
// (`like`) if it reaches its threshold and leads by the margin; else the `otherwise` route. A rule
// with examples holds when the message also is as much like them as its threshold asks, and no
// less than like those of any semantic route.
// Pure: the same three values always give the same Decision. Does not need a valid table.
Decision route(const Message& message, const Annotations& annotations, const RouteTable& table);

// The decision as one sentence for people, also for the tiers that a flow adds: "knowledge",
// "follow-up", "game", "person", "end".
std::string explain(const Decision& decision, Language language);

// All faults of a table, one a line: doubled names, no target, none of when/like/otherwise,
// `otherwise` beside another, thresholds outside [0,1], conditions that never hold.
Status validate(const RouteTable& table);

}  // namespace qiao
