// SPDX-License-Identifier: Apache-2.0
#include "understand/comparison.h"

#include <gtest/gtest.h>

#include <set>

namespace qiao {
namespace {

TimedAnswer label(const std::string& name, double score = 0.9, double ms = 1) {
  return {{{{name, score}}, {}}, ms};
}

Entity entity(const std::string& kind, std::size_t begin, std::size_t end) {
  return {kind, "", "", begin, end};
}

TimedAnswer entities(std::vector<Entity> found) {
  return {{{}, std::move(found)}, 1};
}

TEST(Comparison, NothingComparedIsNoAgreement) {
  const Json figures = Comparison().figures();
  EXPECT_EQ(figures["compared"], 0);
  EXPECT_TRUE(figures["agreement"].is_null());
  EXPECT_TRUE(figures["current"]["p50_ms"].is_null());
  EXPECT_TRUE(figures["candidate"]["confidence"].is_null());
  EXPECT_EQ(figures["disagreements"], Json::array());
}

TEST(Comparison, CountsEqualLabelsAndTellsPairsMostFrequentFirst) {
  Comparison comparison;
  EXPECT_TRUE(comparison.add("m1", label("refund", 0.8), label("refund", 0.6)));
  EXPECT_FALSE(comparison.add("m2", label("refund", 0.8), label("order", 0.6)));
  EXPECT_FALSE(comparison.add("m3", label("order", 0.8), label("refund", 0.6)));
  EXPECT_FALSE(comparison.add("m4", label("order", 0.8), label("refund", 0.6)));
  const Json figures = comparison.figures();
  EXPECT_EQ(figures["compared"], 4);
  EXPECT_EQ(figures["agreed"], 1);
  EXPECT_EQ(figures["agreement"], 0.25);
  EXPECT_NEAR(figures["current"]["confidence"].get<double>(), 0.8, 1e-9);
  EXPECT_NEAR(figures["candidate"]["confidence"].get<double>(), 0.6, 1e-9);
  const Json pairs = {
      {{"current", "order"}, {"candidate", "refund"}, {"count", 2}, {"message", "m4"}},
      {{"current", "refund"}, {"candidate", "order"}, {"count", 1}, {"message", "m2"}}};
  EXPECT_EQ(figures["disagreements"], pairs);
  EXPECT_EQ(figures["disagreements_left_out"], 0);
}

TEST(Comparison, SeveralHeadsAreComparedEachWithItsOwn) {
  const auto heads = [](const std::string& intent, const std::string& mood) {
    TimedAnswer said;
    said.answer.heads = {{"intent", {{intent, 0.9}}}, {"mood", {{mood, 0.5}}}};
    return said;
  };
  Comparison comparison;
  EXPECT_TRUE(comparison.add("m1", heads("refund", "calm"), heads("refund", "calm")));
  EXPECT_FALSE(comparison.add("m2", heads("refund", "calm"), heads("refund", "angry")));
  TimedAnswer one = heads("refund", "calm");
  one.answer.heads.pop_back();
  EXPECT_FALSE(comparison.add("m3", one, heads("refund", "calm")));
  const Json figures = comparison.figures();
  EXPECT_NEAR(figures["candidate"]["confidence"].get<double>(), 0.7, 1e-9);
  const Json pairs = {
      {{"current", ""}, {"candidate", "mood=calm"}, {"count", 1}, {"message", "m3"}},
      {{"current", "mood=calm"}, {"candidate", "mood=angry"}, {"count", 1}, {"message", "m2"}}};
  EXPECT_EQ(figures["disagreements"], pairs);
}

TEST(Comparison, EntitiesAreTheSameInTheSamePlacesOnly) {
  Comparison comparison;
  EXPECT_TRUE(comparison.add("m1", entities({entity("LOC", 0, 5), entity("PER", 7, 9)}),
                             entities({entity("LOC", 0, 5), entity("PER", 7, 9)})));
  EXPECT_TRUE(comparison.add("m2", entities({}), entities({})));
  // Another end, another kind, one missing, one more.
  EXPECT_FALSE(
      comparison.add("m3", entities({entity("LOC", 0, 5)}), entities({entity("LOC", 0, 4)})));
  EXPECT_FALSE(
      comparison.add("m4", entities({entity("LOC", 0, 5)}), entities({entity("PER", 0, 5)})));
  EXPECT_FALSE(comparison.add("m5", entities({entity("LOC", 0, 5)}), entities({})));
  EXPECT_FALSE(comparison.add("m6", entities({}), entities({entity("PER", 3, 5)})));
  const Json figures = comparison.figures();
  EXPECT_EQ(figures["agreed"], 2);
  EXPECT_TRUE(figures["current"]["confidence"].is_null());
  std::set<std::string> pairs;
  for (const Json& pair : figures["disagreements"]) {
    pairs.insert(pair["message"].get<std::string>() + " " + pair["current"].get<std::string>() +
                 ">" + pair["candidate"].get<std::string>());
  }
  EXPECT_EQ(pairs, (std::set<std::string>{"m3 LOC>LOC", "m4 LOC>PER", "m5 LOC>", "m6 >PER"}));
}

TEST(Comparison, AClassifierAndATaggerNeverAgree) {
  Comparison comparison;
  EXPECT_FALSE(comparison.add("m1", label("refund"), entities({entity("LOC", 0, 5)})));
  EXPECT_FALSE(comparison.add("m2", label("refund"), entities({})));
  EXPECT_EQ(comparison.figures()["agreement"], 0.0);
}

TEST(Comparison, ItsTableIsBoundedAndSaysWhatItLeftOut) {
  Comparison comparison;
  for (std::size_t i = 0; i < Comparison::kPairsMax + 5; ++i) {
    comparison.add("m", label("a"), label("b" + std::to_string(i)));
  }
  comparison.add("m", label("a"), label("b7"));
  const Json figures = comparison.figures();
  ASSERT_EQ(figures["disagreements"].size(), Comparison::kPairsTold);
  EXPECT_EQ(figures["disagreements"][0]["candidate"], "b7");
  EXPECT_EQ(figures["disagreements"][0]["count"], 2);
  EXPECT_EQ(figures["disagreements_left_out"],
            Comparison::kPairsMax + 6 - (Comparison::kPairsTold + 1));
}

TEST(Comparison, QuantilesAreOfTheLastMessages) {
  Comparison comparison;
  for (std::size_t i = 0; i < Comparison::kTimesMax; ++i) {
    comparison.add("m", label("a", 1, 500), label("a", 1, static_cast<double>(i)));
  }
  Json figures = comparison.figures();
  EXPECT_EQ(figures["current"]["p50_ms"], 500.0);
  EXPECT_NEAR(figures["candidate"]["p50_ms"].get<double>(), 500, 1);
  EXPECT_NEAR(figures["candidate"]["p99_ms"].get<double>(), 989, 1);
  for (std::size_t i = 0; i < Comparison::kTimesMax; ++i) {
    comparison.add("m", label("a", 1, 2), label("a", 1, 3));
  }
  figures = comparison.figures();
  EXPECT_EQ(figures["current"]["p99_ms"], 2.0);
  EXPECT_EQ(figures["candidate"]["p99_ms"], 3.0);
}

}  // namespace
}  // namespace qiao
