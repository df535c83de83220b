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

}  // namespace

std::string explain(const Decision& decision, Language language) {
  if (decision.tier == "rule")
    return tr(language, Text::kWhyRule, {decision.route, decision.reason});
  if (decision.tier == "semantic" && !decision.scores.empty())
    return explain_semantic(decision, language);
  const std::string why = explain_reject(decision, language);
  if (decision.route.empty()) return tr(language, Text::kWhyNowhere, {why});
  return tr(language, Text::kWhyElse, {why, decision.route});
}

}  // namespace qiao
