// SPDX-License-Identifier: Apache-2.0
#include "model/bundle/text_head.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/testing/temp_folder.h"
#include "model/testing/tiny_bundle.h"

namespace qiao {
namespace {

using testing::TempFolder;
using testing::TinyBundle;
using testing::write_tiny_bundle;

const TinyBundle kIntents{{"order", "refund"}, {{"money", "refund"}, {"parcel", "order"}}};
const TinyBundle kPlaces{
    {"O", "B-LOC", "I-LOC"}, {{"in", "O"}, {"new", "B-LOC"}, {"york", "I-LOC"}}, "tag"};

Result<TextHead> read(const std::string& folder) {
  return TextHead::read(folder, folder + "/model.safetensors");
}

TEST(TextHead, GivesEveryLabelItsProbability) {
  const TempFolder folder;
  write_tiny_bundle(folder / "b", kIntents);
  const auto head = read(folder / "b");
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->pooling(), "mean");
  EXPECT_EQ(head->labels(), (std::vector<std::string>{"order", "refund"}));
  std::vector<float> vector(head->width(), 0);
  vector[0] = 0.25F;  // "money", the first word: refund is ahead by 8 × 0.25
  const auto answer = head->answer("money", head->encode("money"), vector);
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->labels.size(), 2U);
  EXPECT_EQ(answer->labels[0].label, "refund");
  EXPECT_NEAR(answer->labels[0].score, 1 / (1 + std::exp(-2.0)), 1e-6);
  EXPECT_NEAR(answer->labels[0].score + answer->labels[1].score, 1, 1e-9);
}

TEST(TextHead, TheFittedTemperatureMakesItLessSure) {
  const TempFolder folder;
  TinyBundle bundle = kIntents;
  bundle.card = {{"calibration", {{"temperature", 4.0}}}};
  write_tiny_bundle(folder / "b", bundle);
  const auto head = read(folder / "b");
  ASSERT_TRUE(head) << head.error().message;
  std::vector<float> vector(head->width(), 0);
  vector[0] = 0.25F;
  const auto answer = head->answer("money", head->encode("money"), vector);
  EXPECT_NEAR(answer->labels[0].score, 1 / (1 + std::exp(-0.5)), 1e-6);
}

TEST(TextHead, TagsBecomeEntitiesByBytes) {
  const TempFolder folder;
  write_tiny_bundle(folder / "b", kPlaces);
  const auto head = read(folder / "b");
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->pooling(), "none");
  EXPECT_EQ(head->labels(), (std::vector<std::string>{"LOC"}));
  const std::string text = "é in New York";  // é has two bytes and is [UNK]
  const auto encoded = head->encode(text);
  ASSERT_EQ(encoded.ids.size(), 6U);
  std::vector<float> vectors(encoded.ids.size() * head->width(), 0);
  vectors[2 * head->width() + 0] = 1;  // in
  vectors[3 * head->width() + 1] = 1;  // new
  vectors[4 * head->width() + 2] = 1;  // york
  const auto answer = head->answer(text, encoded, vectors);
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->entities.size(), 2U);  // New and York: the blank between them is O
  EXPECT_EQ(answer->entities[0].text, "New");
  EXPECT_EQ(answer->entities[0].begin, 6U);
  EXPECT_EQ(answer->entities[0].kind, "LOC");
  EXPECT_EQ(answer->entities[1].text, "York");
}

TEST(TextHead, ANumberIsTheSumItself) {
  const TempFolder folder;
  write_tiny_bundle(folder / "b", {{"number"}, {{"good", "number"}}, "regress"});
  const auto head = read(folder / "b");
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->pooling(), "mean");
  EXPECT_TRUE(head->labels().empty());
  std::vector<float> vector(head->width(), 0);
  vector[0] = -0.25F;  // "good" counts 8
  const auto answer = head->answer("good", head->encode("good"), vector);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_FLOAT_EQ(static_cast<float>(answer->number.value_or(0)), -2);
  EXPECT_TRUE(answer->labels.empty());
}

TEST(TextHead, ANumberHasOneName) {
  const TempFolder folder;
  TinyBundle bundle = kIntents;
  bundle.task = "regress";
  write_tiny_bundle(folder / "b", bundle);
  EXPECT_NE(read(folder / "b").error().message.find("labels.json"), std::string::npos);
}

const TinyBundle kDesk{{},
                       {{"money", "refund angry"}, {"parcel", "order"}, {"thanks", "calm"}},
                       "heads",
                       8,
                       {{"calibration", {{"heads", {{"mood", {{"temperature", 4}}}}}}}},
                       {{"intent", {"order", "refund"}}, {"mood", {"angry", "calm"}}}};

TEST(TextHead, SeveralHeadsHaveChancesOfTheirOwn) {
  const TempFolder folder;
  write_tiny_bundle(folder / "b", kDesk);
  const auto head = read(folder / "b");
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->pooling(), "mean");
  EXPECT_TRUE(head->labels().empty());
  ASSERT_NE(head->part("mood"), nullptr);
  EXPECT_EQ(head->labels_of(*head->part("mood")), (std::vector<std::string>{"angry", "calm"}));
  EXPECT_EQ(head->part("topic"), nullptr);
  std::vector<float> vector(head->width(), 0);
  vector[0] = 0.5F;  // "money": 4 for each of its labels
  const auto answer = head->answer("money", head->encode("money"), vector);
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->heads.size(), 2U);
  EXPECT_TRUE(answer->labels.empty());
  EXPECT_EQ(answer->heads[0].labels.front().label, "refund");
  EXPECT_NEAR(answer->heads[0].labels.front().score, 1 / (1 + std::exp(-4.0)), 1e-6);
  const HeadLabels* mood = answer->head("mood");
  ASSERT_NE(mood, nullptr);
  EXPECT_EQ(mood->labels.front().label, "angry");
  EXPECT_NEAR(mood->labels.front().score, 1 / (1 + std::exp(-1.0)), 1e-6);
}

TEST(TextHead, NamesTheHeadThatIsWrong) {
  for (const auto& [text, fault] :
       {std::pair{R"(["order","refund"])", "an object is needed"},
        {R"({"intent":["order"],"mood":["angry","calm","x"]})", "\"intent\""},
        {R"({"intent":["order","refund"],"mood":["angry","angry"]})", "\"mood\""},
        {R"({"intent":["order","refund"],"mood":["angry","calm","x"]})", "do not fit"}}) {
    const TempFolder folder;
    write_tiny_bundle(folder / "b", kDesk);
    folder.write("b/labels.json", text);
    const auto head = read(folder / "b");
    ASSERT_FALSE(head) << text;
    EXPECT_EQ(head.error().code, Code::kCorrupt);
    EXPECT_NE(head.error().message.find(fault), std::string::npos) << head.error().message;
  }
  const TempFolder folder;
  TinyBundle bundle = kDesk;
  bundle.card["calibration"]["heads"]["mood"]["temperature"] = 0;
  write_tiny_bundle(folder / "b", bundle);
  EXPECT_NE(read(folder / "b").error().message.find("temperature"), std::string::npos);
}

TEST(TextHead, RefusesVectorsThatDoNotFit) {
  const TempFolder folder;
  write_tiny_bundle(folder / "b", kIntents);
  const auto head = read(folder / "b");
  const auto encoded = head->encode("money");
  EXPECT_EQ(head->answer("money", encoded, std::vector<float>(3)).error().code, Code::kModelFailed);
  const std::vector<float> wild(head->width(), std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(head->answer("money", encoded, wild).error().code, Code::kModelFailed);
}

// Each file wrong in its own way; the Error names the file.
TEST(TextHead, NamesTheFileThatIsWrong) {
  const std::pair<const char*, const char*> faults[] = {
      {"labels.json", R"(["order"])"},
      {"labels.json", R"(["order","order"])"},
      {"labels.json", R"(["order","refund","greeting"])"},  // does not fit classifier.weight
      {"config.json", R"({"qiao":{"task":"pair"}})"},
      {"config.json",
       R"({"max_position_embeddings":32,"qiao":{"task":"classify","pooling":"max"}})"},
      {"config.json",
       R"({"max_position_embeddings":32,"qiao":{"task":"tag","pooling":"mean","tokens_max":99}})"},
      {"card.json", R"({"calibration":{"temperature":-1}})"},
      {"tokenizer.json", "{"},
      {"model.safetensors", "x"}};
  for (const auto& [file, text] : faults) {
    const TempFolder folder;
    write_tiny_bundle(folder / "b", kIntents);
    SystemDisk disk;
    ASSERT_TRUE(write_file_atomic(disk, folder / (std::string("b/") + file), text));
    const auto head = read(folder / "b");
    ASSERT_FALSE(head) << text;
    EXPECT_TRUE(head.error().message.find(file) != std::string::npos ||
                head.error().message.find("classifier.weight") != std::string::npos)
        << head.error().message;
  }
}

}  // namespace
}  // namespace qiao
