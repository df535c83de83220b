// SPDX-License-Identifier: Apache-2.0
#include "cli/why_text.h"

#include <gtest/gtest.h>

namespace qiao::cli {
namespace {

Json account() {
  return *parse_json(R"({
    "message": {"id":"m1","subject":"support.in","text":"我要退款"},
    "decision": {"route":"refund","to":"agent.refund","tier":"semantic","reason":"like refund",
                 "scores":[{"label":"refund","score":0.914},{"label":"care","score":0.31}],
                 "threshold":0.62,"margin":0},
    "explanation": "It is like the examples of refund.",
    "annotations": {"language":"zh","intents":[],"likes":[],"nearest_example":"我要退款",
                    "sentiment":{"label":"negative","score":0.7},"entities":[],
                    "missing":["encoder-en"]},
    "events": [{"time_ms":0,"type":"decision","data":{}},
               {"time_ms":0,"type":"tool","data":{"name":"order-lookup"}}]})");
}

TEST(WhyText, ShowsSentenceScoresAndSteps) {
  Session session;
  const std::string text = why_text(session, account());
  for (const char* part : {"support.in", "It is like the examples of refund.", "agent.refund",
                           "0.91", "0.62", "←", "negative 0.70", "encoder-en", "order-lookup"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

// The sentence says 0.62, and that is below 0.63: so must the table.
TEST(WhyText, ScoresAreRoundedDown) {
  Session session;
  Json json = account();
  json["decision"]["scores"][0]["score"] = 0.6271;
  json["decision"]["threshold"] = 0.63;
  const std::string text = why_text(session, json);
  EXPECT_NE(text.find("0.62"), std::string::npos) << text;
  json["decision"]["scores"][0]["score"] = 0.29;  // 0.29 * 100 is a little less than 29
  EXPECT_NE(why_text(session, json).find("0.29"), std::string::npos);
}

TEST(WhyText, RoutesAreNotHeldAgainstTheThresholdOfAnEntry) {
  Session session;
  Json json = account();
  json["decision"]["tier"] = "knowledge";
  json["decision"]["threshold"] = 0.86;
  const std::string text = why_text(session, json);
  EXPECT_EQ(text.find("0.86"), std::string::npos) << text;
}

TEST(WhyText, AMessageWithoutADecisionSaysSo) {
  Session session;
  Json json = account();
  json["decision"] = nullptr;
  EXPECT_NE(why_text(session, json).find("No route was decided"), std::string::npos);
  EXPECT_EQ(route_line(json, 5), "");
}

TEST(WhyText, TheRouteInOneLine) {
  EXPECT_EQ(route_line(account(), 12.3), "[route refund · semantic · 12 ms]");
}

}  // namespace
}  // namespace qiao::cli
