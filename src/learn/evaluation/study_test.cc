// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/study.h"

#include <gtest/gtest.h>

#include <cmath>

#include "learn/evaluation/eval_page.h"
#include "learn/evaluation/figure_name.h"
#include "learn/evaluation/intervals.h"
#include "learn/evaluation/perplexity.h"
#include "learn/evaluation/served_decoder.h"
#include "learn/testing/chat_letters.h"

namespace qiao::learn {
namespace {

Report report_of(const std::vector<Classified>& answers) {
  Report report;
  report.rows = answers.size();
  report.answers = answers;
  report.accuracy = accuracy(answers);
  return report;
}

RowFile rows_of(const std::vector<std::pair<std::string, std::string>>& texts) {
  RowFile file;
  for (const auto& [text, label] : texts) file.rows.push_back({text, label, {}, 0, {}});
  return file;
}

// By hand: the binomial tail of 1 of 5 is 6/32, twice that 0.375; of 0 of 8 it is 2/256.
TEST(McNemar, IsTheExactBinomialTail) {
  EXPECT_NEAR(mcnemar(1, 4), 0.375, 1e-12);
  EXPECT_NEAR(mcnemar(8, 0), 2.0 / 256, 1e-12);
  EXPECT_EQ(mcnemar(0, 0), 1);
  EXPECT_EQ(mcnemar(3, 3), 1);
}

// The interval of a share is known: p ± 1.96·√(p(1-p)/n).
TEST(Bootstrap, FindsTheSpreadOfAShare) {
  constexpr std::size_t kRows = 400;
  const Figure share = [](const std::vector<std::size_t>& rows) {
    double right = 0;
    for (const std::size_t row : rows) right += row < kRows * 3 / 4 ? 1 : 0;
    return right / static_cast<double>(rows.size());
  };
  const Interval found = bootstrap(kRows, share, 1);
  const double half = 1.96 * std::sqrt(0.75 * 0.25 / kRows);
  EXPECT_NEAR(found.low, 0.75 - half, 0.008);
  EXPECT_NEAR(found.high, 0.75 + half, 0.008);
  EXPECT_EQ(bootstrap(kRows, share, 1).low, found.low);
  EXPECT_NE(bootstrap(kRows, share, 2).high, found.high);
}

TEST(Percentile, IsAValueThatIsThere) {
  EXPECT_EQ(percentile({5, 1, 4, 2, 3}, 0.5), 3);
  EXPECT_EQ(percentile({5, 1, 4, 2, 3}, 0.99), 5);
  EXPECT_EQ(percentile({7}, 0.01), 7);
}

// By hand; the two that are given 2 share the ranks 0 and 1.
TEST(RegressionScore, IsThatOfTheFormulas) {
  const RegressionScore score = regression_score({{1, 2}, {2, 2}, {3, 3}, {4, 5}});
  EXPECT_NEAR(score.rmse, std::sqrt(0.5), 1e-12);
  EXPECT_NEAR(score.mae, 0.5, 1e-12);
  EXPECT_NEAR(score.r2, 1 - 2.0 / 5, 1e-12);
  EXPECT_NEAR(score.pearson, 5 / std::sqrt(5.0 * 6), 1e-12);
  EXPECT_NEAR(score.spearman, 4.5 / std::sqrt(5.0 * 4.5), 1e-12);
  EXPECT_EQ(regression_score({{1, 2}, {1, 3}}).pearson, 0);
  EXPECT_EQ(regression_score({}).rmse, 0);
}

TEST(Study, OfNumbersTellsErrorsAndComparesThem) {
  const RowFile file = rows_of({{"a", "number"}, {"b", "number"}, {"我要买", "number"}});
  Report near;
  near.rows = file.rows.size();
  near.numbers = {{1, 2}, {3, 3}, {5, 5}};
  near.regression = regression_score(near.numbers);
  Report far = near;
  far.numbers = {{1, 5}, {3, 3}, {5, 5}};
  const Labels labels({kNumberLabel});
  const Json told = study(near, {Task::kRegress, &file, {}}, labels, {});
  EXPECT_NEAR(told["mae"].get<double>(), 1.0 / 3, 1e-12);
  EXPECT_EQ(told["intervals"]["rmse"][0], 0.0);
  EXPECT_NEAR(told["slices"]["language"][0]["rmse"].get<double>(), std::sqrt(0.5), 1e-12);
  EXPECT_FALSE(told.contains("classes"));
  const Json compared = compare_reports(near, 1, far, 1, 1);
  EXPECT_NEAR(compared["difference"]["rmse"].get<double>(),
              std::sqrt(1.0 / 3) - std::sqrt(16.0 / 3), 1e-12);
  EXPECT_FALSE(compared.contains("p_value"));
}

// Two heads; the second row has no label for the second one, the third a topic that is not known.
TEST(Study, OfSeveralHeadsIsTheMeanAndTellsEach) {
  const RowFile file = rows_of({{"a", ""}, {"b", ""}, {"我要买", ""}});
  const Labels labels =
      Labels::of_heads({{"mood", Labels({"angry", "calm"})}, {"topic", Labels({"1", "2", "3"})}});
  Report report;
  report.rows = file.rows.size();
  report.heads = {{"mood", 2, {{{0, 0, 0.9}}, {{1, 0, 0.6}}, {{1, 1, 0.8}}}, 3},
                  {"topic", 3, {{{2, 2, 0.9}}, std::nullopt, {{-1, 0, 0.5}}}, 2}};
  EXPECT_TRUE(is_right(report, 0));
  EXPECT_FALSE(is_right(report, 1));
  EXPECT_FALSE(is_right(report, 2));
  StudyOptions options;
  options.whole_confusion = true;
  const Json told = study(report, {Task::kHeads, &file, {}}, labels, options);
  EXPECT_FALSE(told.contains("classes"));
  const Json& mood = told["heads"]["mood"];
  EXPECT_EQ(mood["classes"][0]["label"], "angry");
  EXPECT_DOUBLE_EQ(mood["classes"][0]["precision"].get<double>(), 0.5);
  EXPECT_EQ(mood["confusion"]["rows"], Json::parse("[[1,0],[1,1]]"));
  EXPECT_EQ(told["heads"]["topic"]["confused"][0]["expected"], "?");
  const Json& languages = told["slices"]["language"];
  EXPECT_EQ(languages[0]["name"], "en");
  EXPECT_DOUBLE_EQ(languages[0]["accuracy"].get<double>(), (0.5 + 1) / 2);
  EXPECT_DOUBLE_EQ(languages[1]["accuracy"].get<double>(), (1.0 + 0) / 2);
  EXPECT_LE(told["intervals"]["macro_f1"][0].get<double>(), 0.6);

  Report other = report;
  other.heads[0].answers[0]->given = 1;
  const Json compared = compare_reports(report, 5, other, 5, 1);
  EXPECT_EQ(compared["first_alone_right"], 1);
  EXPECT_NEAR(compared["difference"]["accuracy"].get<double>(), 1.0 / 3 / 2, 1e-12);
  const std::string page = eval_page(told, {{"bundle", "b"}}, Language::kEnglish);
  EXPECT_NE(page.find("<h2>Heads</h2>"), std::string::npos);
}

class StudyTest : public ::testing::Test {
 protected:
  const Labels labels_{{"buy", "oos", "<sell>"}};
  const RowFile file_ = rows_of({{"我要买", "buy"},
                                 {"买这个东西可以吗", "buy"},
                                 {"I want to sell it", "<sell>"},
                                 {"how is the weather in the town today", "oos"},
                                 {"???", "rent"}});
  Report report_ = report_of({{0, 0, 0.95}, {0, 2, 0.55}, {2, 2, 0.9}, {1, 1, 0.65}, {-1, 2, 0.6}});
  Exam exam_{Task::kClassify, &file_, {}};
};

TEST_F(StudyTest, TellsLabelsConfusionsAndSlices) {
  StudyOptions options;
  options.whole_confusion = true;
  const Json told = study(report_, exam_, labels_, options);
  EXPECT_EQ(told["n"], 5);
  const Json& buy = told["classes"][0];
  EXPECT_EQ(buy["label"], "buy");
  EXPECT_EQ(buy["n"], 2);
  EXPECT_DOUBLE_EQ(buy["precision"].get<double>(), 1);
  EXPECT_DOUBLE_EQ(buy["recall"].get<double>(), 0.5);
  EXPECT_DOUBLE_EQ(buy["f1"].get<double>(), 2.0 / 3);
  EXPECT_EQ(told["confusion"]["rows"], Json::parse("[[1,0,1],[0,1,0],[0,0,1]]"));
  ASSERT_EQ(told["confused"].size(), 2U);
  EXPECT_EQ(told["confused"][0]["expected"], "?");  // one row each: by their labels
  EXPECT_EQ(told["confused"][1]["given"], "<sell>");
  const Json& languages = told["slices"]["language"];
  ASSERT_EQ(languages.size(), 3U);
  EXPECT_EQ(languages[0]["name"], "en");
  EXPECT_DOUBLE_EQ(languages[0]["accuracy"].get<double>(), 1);
  EXPECT_DOUBLE_EQ(languages[2]["accuracy"].get<double>(), 0.5);
  EXPECT_EQ(told["slices"]["length"][0]["name"], "1–8");
  EXPECT_EQ(told["slices"]["length"][0]["n"], 3);
  const Json& range = told["reliability"].back();
  EXPECT_EQ(range["n"], 2);
  EXPECT_DOUBLE_EQ(range["accuracy"].get<double>(), 1);
  EXPECT_LE(told["intervals"]["accuracy"][0].get<double>(), 0.6);
  EXPECT_GE(told["intervals"]["accuracy"][1].get<double>(), 0.6);
}

TEST_F(StudyTest, ComparesRowByRow) {
  const Report other =
      report_of({{0, 2, 0.9}, {0, 0, 0.5}, {2, 0, 0.9}, {1, 0, 0.6}, {-1, 0, 0.6}});
  const Json told = compare_reports(report_, 3, other, 3, 1);
  EXPECT_EQ(told["first_alone_right"], 3);
  EXPECT_EQ(told["second_alone_right"], 1);
  EXPECT_NEAR(told["p_value"].get<double>(), 0.625, 1e-12);
  EXPECT_NEAR(told["difference"]["accuracy"].get<double>(), 0.4, 1e-12);
  EXPECT_LT(told["intervals"]["accuracy"][0].get<double>(), 0);
}

TEST_F(StudyTest, ThePageShowsPlotsAndLetsNoMarkupIn) {
  StudyOptions options;
  options.whole_confusion = true;
  const std::string page =
      eval_page(study(report_, exam_, labels_, options), {{"bundle", "<b>"}}, Language::kEnglish);
  EXPECT_EQ(page.find("<sell>"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_NE(page.find("&lt;sell&gt;"), std::string::npos);
  std::size_t charts = 0;
  for (std::size_t at = 0; (at = page.find("<svg", at)) != std::string::npos; ++at) ++charts;
  EXPECT_EQ(charts, 3U);
  EXPECT_EQ(page.find("http://", page.find("<body>")),
            page.find("http://www.w3.org/2000/svg"));  // loads nothing
}

// A model of chance: each token is told with about 1/vocabulary.
TEST(Perplexity, OfChanceIsTheVocabulary) {
  LanguageModelShape shape = testing::tiny_shape(Architecture::kLlama);
  const std::string text = "abcdefghabcdefghab";
  auto codec = std::make_shared<CharacterCodec>(Characters::of_text("abcdefgh").value());
  LanguageBundle bundle = testing::chance_decoder(shape, codec);
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : weights_of(*bundle.model)) tensor.zero_();
  const std::atomic<bool> stop{false};
  const auto score = score_text(bundle, text, 0, stop);
  ASSERT_TRUE(score) << score.error().message;
  EXPECT_NEAR(perplexity(*score), static_cast<double>(codec->size()), 1e-4);
  const Json told = to_json(*score, 1);
  EXPECT_EQ(told["n"], text.size() - 1);
  EXPECT_NEAR(told["bits_per_character"].get<double>(), std::log2(double(codec->size())), 1e-5);
  const Json same = compare_scores(*score, *score, 1);
  EXPECT_EQ(same["difference"]["loss"], 0.0);
  EXPECT_TRUE(comparable(*score, *score));
}

TEST(Perplexity, TellsWhatTheVocabularyLacks) {
  const LanguageBundle bundle = testing::chance_decoder(
      testing::tiny_shape(Architecture::kLlama),
      std::make_shared<CharacterCodec>(Characters::of_text("abcd").value()));
  const std::string text = "ab桥cd桥桥";
  const std::atomic<bool> stop{false};
  const auto score = score_text(bundle, text, 0, stop);
  ASSERT_TRUE(score) << score.error().message;
  EXPECT_EQ(to_json(*score, 1)["characters"], 7);
  EXPECT_EQ(to_json(*score, 1)["characters_left_out"], 3);
  EXPECT_EQ(score_text(bundle, "桥桥桥", 0, stop).error().code, Code::kInvalidArgument);
#ifdef QIAO_TEST_GGUF
  const qiao::testing::TempFolder folder;
  SystemDisk disk;
  const std::string gguf = folder / "letters.gguf";
  ASSERT_TRUE(export_decoder(disk, gguf, bundle, GgufNumbers::kFull, "letters"));
  const auto served = measure_decoder(gguf, text, 1, stop);
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ((*served)["characters"], 7);
  EXPECT_EQ((*served)["characters_left_out"], 3);
#endif
}

TEST(FigureName, IsTheKeyInEnglishAndAWordInChinese) {
  EXPECT_EQ(figure_name(Language::kEnglish, "macro_f1"), "macro_f1");
  EXPECT_EQ(figure_name(Language::kChinese, "macro_f1"), "宏平均 F1");
  EXPECT_EQ(figure_name(Language::kChinese, "p99"), "p99");
}

}  // namespace
}  // namespace qiao::learn
