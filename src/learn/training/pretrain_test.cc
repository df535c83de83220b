// SPDX-License-Identifier: Apache-2.0
#include "learn/training/pretrain.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/testing/temp_folder.h"
#include "learn/commands/commands.h"
#include "learn/evaluation/curve_chart.h"
#include "learn/files/json_file.h"
#include "learn/files/language_bundle.h"
#include "learn/testing/training_test.h"
#include "learn/tokenizers/characters.h"
#include "learn/training/compare.h"

namespace qiao::learn {
namespace {

// A text in which each character is told by the two before it.
class PretrainTest : public testing::TrainingTest {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 400; ++i) text += "春眠不觉晓abc\n";
    folder_.write("text.txt", text);
  }

  PretrainOptions options(const std::string& out) {
    PretrainOptions options;
    options.text = folder_ / "text.txt";
    options.out = folder_ / out;
    options.shape.layers = 1;
    options.shape.width = 16;
    options.shape.heads = 2;
    options.shape.context = 12;
    options.batch = 8;
    options.steps = 120;
    options.rate = 1e-2;
    options.warmup = 10;
    options.dropout = 0.1;
    options.bfloat16 = false;
    return options;
  }
  Result<Json> run(const PretrainOptions& options) {
    return pretrain(disk_, options, progress_, stop_);
  }
};

TEST_F(PretrainTest, LearnsATextThatRepeatsAndWritesIt) {
  const auto card = run(options("bundle"));
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_LT(json_number(*card, "validation_loss").value_or(9), 0.3);
  const LanguageBundle bundle = load_language_bundle(folder_ / "bundle").value();
  EXPECT_EQ(sample(bundle, {"春眠", 3, 0, 1}).value(), "不觉晓");
  EXPECT_EQ(sample(bundle, {"xyz", 3, 0, 1}).error().code, Code::kInvalidArgument);
}

// Of a step that needs some ten times the memory it may have; in a process of its own.
TEST_F(PretrainTest, MemoryThatIsNotThereIsTold) {
  const std::string told = folder_ / "told";
  const std::string command = "ulimit -v 3000000; exec " + std::string(QIAO_LEARN_PROGRAM) +
                              " pretrain --batch 100000 --context 64 --dropout 0.1 --text " +
                              (folder_ / "text.txt") + " --out " + (folder_ / "never") + " 2> " +
                              told;
  EXPECT_NE(std::system(command.c_str()), 0);
  const std::string message = read_file(told).value();
  EXPECT_NE(message.find("out of memory: lower --batch"), std::string::npos) << message;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "never"));
}

TEST_F(PretrainTest, AResumedRunEndsAsAnUnbrokenOne) {
  ASSERT_TRUE(run(options("unbroken")));
  PretrainOptions broken = options("broken");
  broken.stop_after = 37;
  EXPECT_EQ(run(broken).error().code, Code::kCancelled);
  broken.stop_after = 0;
  broken.resume = true;
  const auto card = run(broken);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_EQ(sum("unbroken"), sum("broken"));
}

TEST_F(PretrainTest, PartsOfAStepAddUpToTheStep) {
  PretrainOptions whole = options("whole");
  whole.steps = 8;
  whole.dropout = 0;
  PretrainOptions parts = whole;
  parts.out = folder_ / "parts";
  parts.at_once = 3;
  const double one = json_number(run(whole).value(), "validation_loss").value();
  const double other = json_number(run(parts).value(), "validation_loss").value();
  EXPECT_NEAR(one, other, 1e-4);
}

TEST_F(PretrainTest, LearnsWhereTextsEnd) {
  PretrainOptions wanted = options("bundle");
  wanted.separator = "\n";
  wanted.shape.architecture = Architecture::kLlama;
  ASSERT_TRUE(run(wanted));
  const LanguageBundle bundle = load_language_bundle(folder_ / "bundle").value();
  EXPECT_EQ(sample(bundle, {"春眠", 30, 0, 1}).value(), "不觉晓abc");
}

TEST_F(PretrainTest, GoesOnFromABaseWithItsVocabulary) {
  ASSERT_TRUE(run(options("base")));
  std::string text;
  for (int i = 0; i < 200; ++i) text += "晓眠不觉春?";  // the base knows no question mark
  PretrainOptions more = options("more");
  more.text = folder_.write("more.txt", text);
  more.base = folder_ / "base";
  more.steps = 60;
  more.rate = 1e-2;
  ::testing::internal::CaptureStderr();
  const auto card = run(more);
  const std::string said = ::testing::internal::GetCapturedStderr();
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_EQ((*card)["data"]["characters"], 1200);
  EXPECT_EQ((*card)["data"]["characters_left_out"], 200);
  EXPECT_NE(said.find("200 of 1200 characters (16.67 %) are not in the vocabulary of " + more.base),
            std::string::npos)
      << said;
  const LanguageBundle bundle = load_language_bundle(folder_ / "more").value();
  EXPECT_EQ(bundle.codec->size(), load_language_bundle(folder_ / "base").value().codec->size());
  EXPECT_EQ(sample(bundle, {"晓眠", 3, 0, 1}).value(), "不觉春");
}

TEST_F(PretrainTest, AnotherArchitectureThanTheBasesIsRefused) {
  PretrainOptions first = options("base");
  first.steps = 4;
  ASSERT_TRUE(run(first));
  const Status done =
      run_pretrain({Language::kEnglish, false, stop_},
                   {"--base", folder_ / "base", "--arch", "llama", "--text", folder_ / "text.txt",
                    "--out", folder_ / "never", "--steps", "4", "--threads", "1"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kInvalidArgument);
  EXPECT_TRUE(done.error().message.starts_with("--arch llama: ")) << done.error().message;
  EXPECT_NE(done.error().message.find("transformer"), std::string::npos);
  PretrainOptions more = options("more");
  more.base = folder_ / "base";
  more.base_architecture = Architecture::kTransformer;
  more.steps = 4;
  EXPECT_TRUE(run(more));
}

TEST_F(PretrainTest, ShortTextsAndTakenFoldersAreRefused) {
  PretrainOptions wrong = options("bundle");
  wrong.shape.context = 4000;
  EXPECT_NE(run(wrong).error().message.find("too short"), std::string::npos);
  wrong.out = folder_.path();
  EXPECT_EQ(run(wrong).error().code, Code::kAlreadyExists);
}

TEST_F(PretrainTest, NumbersOutOfRangeAreNamed) {
  PretrainOptions wrong = options("bundle");
  wrong.rate = std::nan("");
  EXPECT_EQ(run(wrong).error().message.find("--rate"), 0U);
  wrong.rate = 1e-2;
  wrong.held_out = std::nan("");
  EXPECT_EQ(run(wrong).error().message.find("--held-out"), 0U);
}

class CompareTest : public PretrainTest {
 protected:
  CompareOptions both(const std::string& out) {
    CompareOptions wanted;
    wanted.architectures = {Architecture::kRnn, Architecture::kTransformer};
    wanted.weights = 3000;
    wanted.each = options(out);
    wanted.each.steps = 40;
    wanted.each.dropout = 0;
    return wanted;
  }
  Result<std::vector<Contestant>> run(const CompareOptions& options) {
    return compare(disk_, options, progress_, stop_);
  }
};

TEST_F(CompareTest, TheRateRisesForATenthOfFewSteps) {
  CompareOptions few = both("few");
  few.architectures = {Architecture::kRnn};
  few.each.warmup = CompareOptions().each.warmup;
  ASSERT_TRUE(run(few));
  EXPECT_EQ(read_json_file(folder_ / "few/compare.json").value()["options"]["warmup"], 4);
  EXPECT_EQ(read_json_file(folder_ / "few/rnn/card.json").value()["options"]["warmup"], 4);
}

TEST_F(CompareTest, PrintsOneObject) {
  ::testing::internal::CaptureStdout();
  const Status done = run_compare(
      {Language::kEnglish, false, stop_},
      {"--text", folder_ / "text.txt", "--out", folder_ / "table", "--arch", "rnn", "--weights",
       "3000", "--layers", "1", "--context", "12", "--steps", "2", "--threads", "1", "--json"});
  const std::string printed = ::testing::internal::GetCapturedStdout();
  ASSERT_TRUE(done) << done.error().message;
  const Json told = parse_json(printed).value();
  EXPECT_EQ(told["folder"], folder_ / "table");
  ASSERT_EQ(told["table"].size(), 1U);
  EXPECT_EQ(told["table"][0]["architecture"], "rnn");
}

// Stopped in the first model, then in the second.
TEST_F(CompareTest, AResumedOneEndsAsAnUnbrokenOne) {
  const auto unbroken = run(both("unbroken"));
  ASSERT_TRUE(unbroken) << unbroken.error().message;
  CompareOptions broken = both("broken");
  broken.each.stop_after = 20;
  EXPECT_EQ(run(broken).error().code, Code::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "broken"));
  broken.each.resume = true;
  broken.each.stop_after = 10;
  EXPECT_EQ(run(broken).error().code, Code::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "broken"));
  broken.each.stop_after = 0;
  CompareOptions other = broken;
  other.each.rate = 2e-2;
  EXPECT_EQ(run(other).error().code, Code::kPrecondition);
  const auto table = run(broken);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(sum("unbroken/rnn"), sum("broken/rnn"));
  EXPECT_EQ(sum("unbroken/transformer"), sum("broken/transformer"));
  EXPECT_EQ(read_file(folder_ / "unbroken/curves.csv").value(),
            read_file(folder_ / "broken/curves.csv").value());
  ASSERT_EQ(table->size(), 2U);
  for (std::size_t i = 0; i < table->size(); ++i) {
    EXPECT_EQ((*table)[i].name, (*unbroken)[i].name);
    EXPECT_EQ((*table)[i].weights, (*unbroken)[i].weights);
    EXPECT_EQ((*table)[i].validation_loss, (*unbroken)[i].validation_loss);
    EXPECT_EQ((*table)[i].precision, "binary32");
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "broken.partial"));
  EXPECT_NE(read_file(folder_ / "broken/compare.json")->find("\"precision\""), std::string::npos);
  EXPECT_EQ(run(broken).error().code, Code::kAlreadyExists);
}

TEST_F(CompareTest, WithoutAStoppedOneThereIsNothingToGoOnWith) {
  CompareOptions wanted = both("table");
  wanted.each.resume = true;
  EXPECT_EQ(run(wanted).error().code, Code::kNotFound);
}

TEST(Characters, AreTheCodePointsOfTheText) {
  const Characters characters = Characters::of_text("好abab你").value();
  EXPECT_EQ(characters.size(), 4U);
  EXPECT_EQ(characters.encode("b你x"), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(characters.decode(3), "好");
}

TEST(CurveChart, ScalesToTheExtremes) {
  const std::vector<Curve> curves = {{"a", {{0, 4}, {100, 2}}}, {"b", {{0, 3}, {100, 1}}}};
  const std::string chart = curve_chart(curves, "step", "loss");
  EXPECT_NE(chart.find("points=\"56,56 584,248 \""), std::string::npos) << chart;
  EXPECT_NE(curve_table(curves, "step", "loss").find("b,100,1\n"), std::string::npos);
}

}  // namespace
}  // namespace qiao::learn
