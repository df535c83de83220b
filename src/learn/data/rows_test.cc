// SPDX-License-Identifier: Apache-2.0
#include "learn/data/rows.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "base/disk.h"
#include "base/testing/temp_folder.h"
#include "learn/data/labels.h"
#include "learn/evaluation/metrics.h"
#include "model/bundle/tag_decoder.h"

namespace qiao::learn {
namespace {

using testing::TempFolder;

std::string fault_of(const TempFolder& folder, const std::string& text, Task task) {
  const auto rows = read_rows(folder.write("rows.jsonl", text), task);
  return rows ? "" : rows.error().message;
}

TEST(ReadRows, ReadsPlainAndGzippedLines) {
  const TempFolder folder;
  const std::string text =
      "{\"text\":\"a\",\"label\":\"x\"}\n\n{\"text\":\"你好\",\"label\":1,\"more\":[]}";
  const std::string packed = folder / "rows.jsonl.gz";
  const gzFile file = gzopen(packed.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  for (const std::string& path : {folder.write("rows.jsonl", text), packed}) {
    const auto rows = read_rows(path, Task::kClassify);
    ASSERT_TRUE(rows) << rows.error().message;
    ASSERT_EQ(rows->rows.size(), 2U);
    EXPECT_EQ(rows->rows[1].text, "你好");
    EXPECT_EQ(rows->rows[1].label, "1");
    EXPECT_EQ(rows->rows[1].line, 3U);
  }
}

TEST(ReadRows, NamesTheLineOfABadRow) {
  const TempFolder folder;
  const std::string good = "{\"text\":\"a\",\"label\":\"x\"}\n";
  EXPECT_NE(fault_of(folder, good + "{\"text\":", Task::kClassify).find("rows.jsonl:2: not JSON"),
            std::string::npos);
  EXPECT_NE(fault_of(folder, good + good + "{\"text\":\"b\"}", Task::kClassify)
                .find("rows.jsonl:3: there is no `label`"),
            std::string::npos);
  EXPECT_NE(fault_of(folder, "{\"text\":\"ab\",\"tags\":[\"O\"]}", Task::kTag)
                .find(":1: 1 tags for 2 characters"),
            std::string::npos);
  EXPECT_NE(fault_of(folder, "{\"text\":\"a\",\"tags\":[\"X-PER\"]}", Task::kTag).find("X-PER"),
            std::string::npos);
  EXPECT_NE(fault_of(folder, good, Task::kPair).find(":1: `text` must hold two texts"),
            std::string::npos);
  EXPECT_NE(fault_of(folder, "\n", Task::kClassify).find("holds no row"), std::string::npos);
}

// A NUL ends a picture's text, an escape sequence commands a terminal.
TEST(ReadRows, ControlCharactersInLabelsAreNamed) {
  const TempFolder folder;
  EXPECT_NE(fault_of(folder, R"({"text":"a","label":"x\u0000y"})", Task::kClassify)
                .find(R"(rows.jsonl:1: `label` has control characters: "x\u0000y")"),
            std::string::npos);
  EXPECT_NE(fault_of(folder, R"({"text":"a","label":"x\ny"})", Task::kClassify), "");
  EXPECT_NE(
      fault_of(folder, R"({"text":"a","tags":["B-\u001b[2J"]})", Task::kTag).find(":1: the tag"),
      std::string::npos);
  EXPECT_NE(fault_of(folder, R"({"text":"a","labels":{"mood":"\u0085"}})", Task::kHeads)
                .find(":1: a label in"),
            std::string::npos);
  EXPECT_NE(fault_of(folder, R"({"text":"a","labels":{"mo\tod":"x"}})", Task::kHeads)
                .find(":1: a head in"),
            std::string::npos);
  EXPECT_EQ(fault_of(folder, R"({"text":"a\u0000b","label":"退款 é"})", Task::kClassify), "");
}

TEST(ReadRows, AFolderIsToldAsOne) {
  const TempFolder folder;
  const auto rows = read_rows(folder.path(), Task::kClassify);
  EXPECT_EQ(rows.error().code, Code::kInvalidArgument);
  EXPECT_NE(rows.error().message.find("is a folder; a file is wanted"), std::string::npos);
}

// `O` is every tagger's, and tells nothing of the others.
TEST(Labels, SomeOfAFileMustBeKnown) {
  RowFile file{"f", {}, {}};
  file.rows = {{"a", "", {"B-PER"}, 1, {}}, {"b", "", {"O"}, 2, {}}};
  const Status strange = check_some_known(file, Labels({"O", "B-LOC", "I-LOC"}), "the bundle");
  EXPECT_EQ(strange.error().message,
            "no label of f (\"B-PER\") is one of the bundle (\"B-LOC\", \"I-LOC\")");
  EXPECT_TRUE(check_some_known(file, Labels({"O", "B-PER", "I-PER"}), "the bundle"));
  file.rows.erase(file.rows.begin());
  EXPECT_TRUE(check_some_known(file, Labels({"O", "B-LOC", "I-LOC"}), "the bundle"));
  const Labels heads =
      Labels::of_heads({{"mood", Labels({"calm", "angry"})}, {"size", Labels({"one", "two"})}});
  file.rows = {{"a", "", {}, 1, {}, 0, {{"mood", "one"}}}};
  EXPECT_FALSE(check_some_known(file, heads, "the bundle"));
  file.rows.push_back({"b", "", {}, 2, {}, 0, {{"size", "one"}}});
  EXPECT_TRUE(check_some_known(file, heads, "the bundle"));
}

TEST(ReadRows, ATabPartsThePair) {
  const TempFolder folder;
  const auto path = folder.write("rows.jsonl", "{\"text\":\"a b\\tc\",\"label\":\"x\"}\n");
  const auto rows = read_rows(path, Task::kPair);
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(rows->rows[0].text, "a b");
  EXPECT_EQ(rows->rows[0].second, "c");
}

TEST(ReadRows, ARegressionReadsNumbers) {
  const TempFolder folder;
  const auto path =
      folder.write("rows.jsonl", "{\"text\":\"a\",\"label\":-2.5}\n{\"text\":\"b\",\"label\":3}");
  const auto rows = read_rows(path, Task::kRegress);
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(rows->rows[0].number, -2.5);
  EXPECT_EQ(rows->rows[1].number, 3);
  EXPECT_EQ(Labels::of_rows(*rows, Task::kRegress)->names(), std::vector<std::string>{"number"});
  const std::string word = "{\"text\":\"a\",\"label\":\"4\"}";
  EXPECT_NE(fault_of(folder, word, Task::kRegress).find(":1: `label` is no number: \"4\""),
            std::string::npos);
  const RowFile one =
      read_rows(folder.write("one.jsonl", "{\"text\":\"a\",\"label\":3}"), Task::kRegress).value();
  EXPECT_EQ(Labels::of_rows(one, Task::kRegress).error().code, Code::kInvalidArgument);
}

TEST(ReadRows, SeveralHeadsHaveALabelEachOrNone) {
  const TempFolder folder;
  const std::string mood = R"({"text":"a","labels":{"topic":3,"mood":"calm"}})";
  const auto path = folder.write("rows.jsonl", mood + "\n" +
                                                   R"({"text":"b","labels":{"mood":"angry"}})"
                                                   "\n"
                                                   R"({"text":"c","labels":{"topic":1}})");
  const auto rows = read_rows(path, Task::kHeads);
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(rows->rows[0].labels.at("topic"), "3");
  EXPECT_FALSE(rows->rows[1].labels.contains("topic"));
  const Labels labels = Labels::of_rows(*rows, Task::kHeads).value();
  ASSERT_EQ(labels.heads().size(), 2U);
  EXPECT_EQ(labels.heads()[0].name, "mood");
  EXPECT_EQ(labels.heads()[1].begin, 2);
  EXPECT_EQ(labels.names(), (std::vector<std::string>{"angry", "calm", "1", "3"}));

  const RowFile one = read_rows(folder.write("one.jsonl", mood), Task::kHeads).value();
  EXPECT_NE(Labels::of_rows(one, Task::kHeads).error().message.find("\"mood\" has one label only"),
            std::string::npos);
  for (const auto& [text, fault] :
       {std::pair{R"({"text":"a","label":"x"})", "there is no object `labels`"},
        {R"({"text":"a","labels":{}})", "there is no object `labels`"},
        {R"({"text":"a","labels":{"mood":null}})", "the label of \"mood\" is neither"},
        {R"({"text":"a","labels":{"":"x"}})", "a head in `labels` has no name"}}) {
    EXPECT_NE(fault_of(folder, text, Task::kHeads).find(std::string("rows.jsonl:1: ") + fault),
              std::string::npos)
        << text;
  }
}

TEST(ReadRows, SeesACutGzipStream) {
  const TempFolder folder;
  const std::string packed = folder / "whole.gz";
  const gzFile file = gzopen(packed.c_str(), "wb");
  std::string text;
  for (int i = 0; i < 5000; ++i) {
    text += "{\"text\":\"" + std::to_string(i * 7919) + "\",\"label\":\"x\"}\n";
  }
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  const std::string bytes = read_file(packed).value();
  const auto cut = folder.write("cut.gz", bytes.substr(0, bytes.size() / 2));
  EXPECT_EQ(read_rows(cut, Task::kClassify).error().code, Code::kCorrupt);
}

TEST(Labels, AreSortedAndTagsBeginWithO) {
  RowFile file{"f", "", {Row{"a", "y", {}, 1, {}}, Row{"b", "x", {}, 2, {}}}};
  EXPECT_EQ(Labels::of_rows(file, Task::kClassify)->names(), (std::vector<std::string>{"x", "y"}));
  file.rows = {Row{"ab", "", {"I-PER", "O"}, 1, {}}};
  EXPECT_EQ(Labels::of_rows(file, Task::kTag)->names(),
            (std::vector<std::string>{"O", "B-PER", "I-PER"}));
  file.rows = {Row{"a", "x", {}, 1, {}}};
  EXPECT_EQ(Labels::of_rows(file, Task::kClassify).error().code, Code::kInvalidArgument);
}

TEST(Labels, TellTheFirstUnknownOne) {
  const Labels labels({"x", "y"});
  const RowFile file{
      "dev", "", {Row{"a", "x", {}, 1, {}}, Row{"b", "z", {}, 7, {}}, Row{"c", "w", {}, 8, {}}}};
  const UnknownLabels unknown = find_unknown(file, labels);
  EXPECT_EQ(unknown.rows, 2U);
  EXPECT_EQ(unknown.first, "dev:7: \"z\"");
}

TEST(Labels, AHeadThatIsNotLearntIsNamedAndAnUnknownLabelOfOneTold) {
  const Labels labels = Labels::of_heads({{"mood", Labels({"angry", "calm"})}});
  RowFile file{"dev", "", {Row{"a", "", {}, 4, {}, 0, {{"mood", "sad"}}}}};
  EXPECT_TRUE(check_heads(file, labels));
  EXPECT_EQ(find_unknown(file, labels).first, "dev:4: \"sad\"");
  file.rows[0].labels = {{"topic", "x"}};
  EXPECT_EQ(find_unknown(file, labels).rows, 0U);
  const Status status = check_heads(file, labels);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("dev:4: there is no head \"topic\""), std::string::npos);
}

TEST(Metrics, AccuracyMacroF1AndCalibration) {
  // Label 0: two of three found; label 1: found with one false alarm; label 2 never occurs.
  const std::vector<Classified> rows = {{0, 0, 0.95}, {0, 0, 0.95}, {0, 1, 0.55}, {1, 1, 0.55}};
  EXPECT_DOUBLE_EQ(accuracy(rows), 0.75);
  EXPECT_NEAR(macro_f1(rows, 3), (0.8 + 2.0 / 3) / 2, 1e-12);
  EXPECT_NEAR(calibration_error(rows), (2 * 0.05 + 0.1) / 4, 1e-12);
  EXPECT_DOUBLE_EQ(accuracy({{-1, 0, 1}}), 0);
}

TEST(Entities, AreReadAsConllevalReadsThem) {
  const std::vector<std::string> tags = {"I-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-ORG"};
  const std::vector<Entity> expected = {{"PER", 0, 2}, {"LOC", 3, 4}, {"LOC", 4, 5}, {"ORG", 5, 6}};
  EXPECT_EQ(entities_of(tags), expected);
  EntityScore score;
  score.add(tags, {"B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC"});
  EXPECT_EQ(score.right, 1U);  // the person; the place ends elsewhere
  EXPECT_NEAR(score.f1(), 2.0 / 6, 1e-12);
}

// The scores alone would say I-LOC after B-PER; the path may not.
TEST(DecodeTags, KeepsTagsTogether) {
  const Labels labels({"O", "B-PER", "I-PER", "B-LOC", "I-LOC"});
  const model::Encoded text{{2, 5, 6, 3}, {{-1, -1}, {0, 1}, {1, 4}, {-1, -1}}};
  const std::vector<float> scores = {9, 0, 0, 0, 0,  // [CLS]
                                     0, 5, 0, 4, 0,  //
                                     0, 0, 3, 0, 5,  //
                                     9, 0, 0, 0, 0};
  // B-LOC I-LOC (9) beats B-PER I-PER (8); the second piece has three characters, then a blank.
  EXPECT_EQ(model::decode_tags({scores.data()}, text, labels.names(), 5),
            (std::vector<std::string>{"B-LOC", "I-LOC", "I-LOC", "I-LOC", "O"}));
}

}  // namespace
}  // namespace qiao::learn
