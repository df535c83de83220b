// SPDX-License-Identifier: Apache-2.0
#include "base/i18n.h"
#include "route/condition.h"
#include "route/route.h"

namespace qiao {
namespace {

using impl::score_text;

std::string explain_semantic(const Decision& decision, Language language) {
  const std::string score = score_text(decision.scores.front().score);
  const std::string threshold = score_text(decision.threshold);
  if (decision.scores.size() == 1)
    return tr(language, Text::kWhySemanticOnly, {decision.route, score, threshold});
  const Scored& second = decision.scores[1];
  return tr(language, Text::kWhySemantic,
            {decision.route, score, threshold, second.label, score_text(second.score)});
}

std::string explain_reject(const Decision& decision, Language language) {
  if (decision.scores.empty()) return tr(language, Text::kWhyNothing);
  const Scored& best = decision.scores.front();
  if (best.score < decision.threshold || decision.scores.size() == 1) {
    return tr(language, Text::kWhyLow,
              {best.label, score_text(best.score), score_text(decision.threshold)});
  }
  const Scored& second = decision.scores[1];
  return tr(language, Text::kWhyClose,
            {best.label, score_text(best.score), second.label, score_text(second.score),
             score_text(decision.margin)});
}

std::string explain_knowledge(const Decision& decision, Language language) {
  // A certain entry is the answer; a related one goes to an agent.
  if (decision.to == "knowledge") return tr(language, Text::kWhyKnowledge, {decision.reason});
  return tr(language, Text::kWhyRelated, {decision.reason, decision.to});
}

}  // namespace

std::string explain(const Decision& decision, Language language) {
  if (decision.tier == "rule")
    return tr(language, Text::kWhyRule, {decision.route, decision.reason});
  if (decision.tier == "semantic" && !decision.scores.empty())
    return explain_semantic(decision, language);
  if (decision.tier == "knowledge") return explain_knowledge(decision, language);
  if (decision.tier == "follow-up") return tr(language, Text::kWhyFollowUp, {decision.to});
  if (decision.tier == "game") return tr(language, Text::kWhyGame, {decision.to});
  if (decision.tier == "person") return tr(language, Text::kWhyPerson, {decision.to});
  if (decision.tier == "end") return tr(language, Text::kWhyEnd, {decision.reason});
  // Nobody should read a reason that was not the one.
  if (!decision.tier.empty() && decision.tier != "reject")
    return tr(language, Text::kWhyOther, {decision.route, decision.reason});
  const std::string why = explain_reject(decision, language);
  if (decision.route.empty()) return tr(language, Text::kWhyNowhere, {why});
  return tr(language, Text::kWhyElse, {why, decision.route});
}

}  // namespace qiao
