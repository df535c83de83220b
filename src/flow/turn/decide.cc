// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/decide.h"

#include <algorithm>
#include <utility>

#include "flow/turn/two_places.h"

namespace qiao::flow {
namespace {

// A running game is left only for a route that is named almost word for word, or for a rule by its
// words.
constexpr double kLeaveGameScore = 0.9;
// A related entry takes the message from a semantic route when it is so much more alike.
constexpr double kMoreAlike = 0.05;
// A wrong end costs more than a goodbye that is answered: it asks for the score at which a message
// most likely says the same in other words (understand/fusion.h), and leads all else by kMoreAlike.
constexpr double kEndScore = 0.86;

void take(Decision& decision, std::string tier, std::string route, std::string to,
          std::string reason) {
  decision.tier = std::move(tier);
  decision.route = std::move(route);
  decision.to = std::move(to);
  decision.reason = std::move(reason);
  decision.out_of_scope = false;
}

// A certain entry, or one that leads clearly, answers unless a rule or a clearer semantic route to
// somebody else says otherwise; a related one is better than no route at all, and than one whose
// examples are clearly less alike.
void apply_knowledge(const DecideInput& input, Decision& decision) {
  if (input.hits.empty()) return;
  const KnowledgeConfig& config = input.config.knowledge;
  const KnowledgeHit& best = input.hits.front();
  const double strong = strength(best);
  const bool nothing_else = decision.out_of_scope || decision.tier == "reject";
  const bool rule = decision.tier == "rule" && !nothing_else;
  const double like = decision.scores.empty() ? 0 : decision.scores[0].score;
  const bool clearer = decision.tier == "semantic" && like > strong && decision.to != config.to;
  const bool free = !rule && !clearer;
  const bool weaker = decision.tier == "semantic" && strong >= like + kMoreAlike;
  const auto by = [&](double score, double needed) {
    decision.threshold = needed;
    return "entry " + best.entry->id + " score " + two_places(score) + " >= " + two_places(needed);
  };
  if (free && strong >= config.certain) {
    take(decision, "knowledge", "knowledge", "knowledge", by(strong, config.certain));
  } else if (free && config.clear && best.score >= config.clear->score &&
             best.ahead >= config.clear->ahead) {
    take(decision, "knowledge", "knowledge", "knowledge",
         by(best.score, config.clear->score) + ", " + two_places(best.ahead) + " ahead");
  } else if ((nothing_else || weaker) && !config.to.empty()) {
    take(decision, "knowledge", "related", config.to, by(strong, config.related));
  }
}

// The condition of the rule that takes the message, or null.
const Condition* rule_of(const RouteTable& table, const Decision& decision) {
  if (decision.tier != "rule") return nullptr;
  const auto found = std::find_if(table.routes.begin(), table.routes.end(),
                                  [&](const Route& route) { return route.name == decision.route; });
  return found != table.routes.end() && found->when ? &*found->when : nullptr;
}

bool is_rule_of_words(const RouteTable& table, const Decision& decision) {
  const Condition* rule = rule_of(table, decision);
  return rule != nullptr && !rule->words.empty();
}

// The answer to a question goes to the agent that asked.
void apply_question(const DecideInput& input, const Asked& asked, Decision& decision) {
  const auto& entities = input.seen.entities;
  const bool answers = std::any_of(entities.begin(), entities.end(), [&](const Entity& entity) {
    return entity.kind == asked.entity;
  });
  if (!answers || input.config.agent(asked.agent) == nullptr) return;
  // A rule goes first, but not one that holds only because the entity is there: we asked for it.
  const Condition* rule = rule_of(input.config.routes, decision);
  if (rule != nullptr && rule->entity != asked.entity) return;
  if (decision.to == "agent." + asked.agent) return;
  take(decision, "follow-up", asked.route, "agent." + asked.agent,
       "the " + asked.entity + " that " + asked.agent + " asked for");
}

void apply_game(const DecideInput& input, Conversation& conversation, Decision& decision) {
  const std::string agent = "agent." + conversation.game;
  const bool named = is_rule_of_words(input.config.routes, decision) ||
                     (decision.tier == "semantic" && !decision.scores.empty() &&
                      decision.scores[0].score >= kLeaveGameScore);
  if (!named && input.config.agent(conversation.game) != nullptr) {
    return take(decision, "game", conversation.game_route, agent,
                "the game " + conversation.game + " is running");
  }
  conversation.game_state = nullptr;  // the same game is begun anew
  if (decision.to != agent) conversation.game.clear();
}

// How much the message is like what counts for it: the knowledge, the examples of every semantic
// route, and those of a rule only when it takes the message; its words are as clear as can be.
double most_alike(const DecideInput& input) {
  const Decision decision = route(input.message, input.seen, input.config.routes);
  double best = input.hits.empty() ? 0 : strength(input.hits.front());
  if (!decision.scores.empty()) best = std::max(best, decision.scores[0].score);
  if (decision.tier != "rule") return best;
  if (is_rule_of_words(input.config.routes, decision)) return 1;
  const auto& likes = input.seen.likes;
  const auto own = std::find_if(likes.begin(), likes.end(),
                                [&](const Scored& like) { return like.label == decision.route; });
  return own == likes.end() ? best : std::max(best, own->score);
}

}  // namespace

Decision decide(const DecideInput& input, Conversation& conversation) {
  Decision decision = route(input.message, input.seen, input.config.routes);
  const Asked asked = std::exchange(conversation.asked, {});
  apply_knowledge(input, decision);
  apply_question(input, asked, decision);
  if (!conversation.game.empty()) apply_game(input, conversation, decision);
  conversation.unknown = decision.out_of_scope ? conversation.unknown + 1 : 0;
  return decision;
}

bool wants_to_end(const DecideInput& input) {
  const EndConfig& end = input.config.end;
  const std::vector<Scored>& intents = input.seen.intents;
  if (!end.intent || intents.empty() || intents[0].label != *end.intent) return false;
  const double needed = end.score > 0 ? end.score : kEndScore;
  const double ahead = std::min(1.0, most_alike(input) + kMoreAlike);  // its very words score 1
  return intents[0].score >= std::max(needed, ahead);
}

}  // namespace qiao::flow
