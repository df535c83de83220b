// SPDX-License-Identifier: Apache-2.0
#include "learn/corpus/corpus_maker.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "base/digest.h"
#include "base/random.h"
#include "base/testing/temp_folder.h"
#include "learn/corpus/record_blocks.h"
#include "learn/data/token_folder.h"

namespace qiao::learn {
namespace {

using testing::TempFolder;
namespace fs = std::filesystem;

class CorpusMakerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Rng rng(3);
    for (int file = 0; file < 11; ++file) {
      std::string rows;
      for (int row = 0; row < 900; ++row) {
        std::string text = "第" + std::to_string(file) + "卷 " + std::to_string(row) + "：";
        for (int i = 0; i < 60; ++i) text += word(rng);
        rows += dump_json(Json{{"text", text}}) + "\n";
      }
      folder_.write("in/" + std::to_string(file) + ".jsonl", rows);
    }
    save_characters();
  }
  static std::string word(Rng& rng) {
    const char* words[] = {"天", "地", "人", "山", "水", "a", "bc ", "d", "风", "云", "\n"};
    return words[rng.below(std::size(words))];
  }
  void save_characters() {
    const CharacterCodec codec(Characters(U"\n 0123456789abcd云人卷地天山水第风，："));
    fs::create_directories(folder_ / "words");
    ASSERT_TRUE(codec.save(disk_, folder_ / "words"));
  }
  MakeCorpusOptions options(const std::string& out) {
    MakeCorpusOptions options;
    options.in = {folder_ / "in"};
    options.out = folder_ / out;
    options.tokenizer = folder_ / "words";
    options.shard_tokens = 100'000;
    return options;
  }
  Result<Json> run(const MakeCorpusOptions& options) {
    return make_text_corpus(disk_, options, progress_, stop_);
  }
  // Every file of a folder and its sum.
  std::map<std::string, std::string> sums(const std::string& name) {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / name)) {
      if (!entry.is_regular_file()) continue;
      all[fs::relative(entry.path(), folder_ / name).string()] =
          sha256_file_hex(entry.path().string()).value();
    }
    return all;
  }
  // The texts of a corpus without tokens.
  std::vector<std::string> texts(const std::string& name) {
    std::vector<std::string> all;
    const TextFiles files = find_text_files({folder_ / name}, "").value();
    BlockLanes lanes(files.files, {});
    for (std::uint64_t i = 0; lanes.more(); ++i) {
      const auto block = lanes.block(i).value();
      if (!block) continue;
      for (RawText& raw : parse_block(*block, TextFormat::kJsonLines, {})) {
        all.push_back(std::move(raw.text));
      }
    }
    return all;
  }
  MakeCorpusOptions small(const std::string& rows) {
    MakeCorpusOptions small = options("small");
    small.in = {folder_.write("small.jsonl", rows)};
    small.tokenizer.clear();
    return small;
  }

  TempFolder folder_;
  SystemDisk disk_;
  Progress progress_{Language::kEnglish, false};
  std::atomic<bool> stop_{false};
};

TEST_F(CorpusMakerTest, AnyNumberOfThreadsMakesTheSameFiles) {
  const auto report = run(options("one"));
  ASSERT_TRUE(report) << report.error().message;
  MakeCorpusOptions more = options("five");
  more.threads = 5;
  ASSERT_TRUE(run(more));
  EXPECT_EQ(sums("one"), sums("five"));
  EXPECT_GT(sums("one").size(), 6U);
  const auto folder = open_token_folder(folder_ / "one");
  ASSERT_TRUE(folder) << folder.error().message;
  EXPECT_EQ(folder->tokens.size(), (*report)["tokens"]);
  MakeCorpusOptions other = options("other");
  other.seed = 2;
  ASSERT_TRUE(run(other));
  EXPECT_NE(sums("other"), sums("one"));
}

TEST_F(CorpusMakerTest, AResumedRunMakesTheSameFiles) {
  ASSERT_TRUE(run(options("whole")));
  MakeCorpusOptions broken = options("broken");
  broken.threads = 3;
  for (const int blocks : {2, 5}) {
    broken.stop_after = blocks;
    ASSERT_EQ(run(broken).error().code, Code::kCancelled);
    broken.resume = true;
  }
  // What was written after the state was saved is not believed.
  folder_.write("broken.partial/tokens-00000.bin", "rubbish");
  for (const auto& entry : fs::directory_iterator(folder_ / "broken.partial")) {
    if (entry.path().filename().string().starts_with("spool-")) {
      fs::resize_file(entry.path(), fs::file_size(entry.path()) + 7);
    }
  }
  broken.stop_after = 0;
  const auto report = run(broken);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(sums("whole"), sums("broken"));
}

TEST_F(CorpusMakerTest, OtherInputsAreNotResumed) {
  MakeCorpusOptions broken = options("broken");
  broken.stop_after = 2;
  ASSERT_EQ(run(broken).error().code, Code::kCancelled);
  folder_.write("in/0.jsonl", "{\"text\":\"changed\"}\n");
  broken.resume = true;
  EXPECT_EQ(run(broken).error().code, Code::kPrecondition);
}

TEST_F(CorpusMakerTest, TheReportSaysWhatWasDroppedAndWhy) {
  MakeCorpusOptions mine = small(
      "{\"text\":\"今天的天气很好，我们去公园散步吧\"}\n"
      "{\"text\":\"今天的天气很好，我们去公园散步吧\"}\n"     // the same
      "{\"text\":\"今天的天气很好，　我们去公园散步吧 \"}\n"  // nearly
      "{\"text\":\"  \"}\n"
      "rubbish\n"
      "{\"text\":\"This one is written in English.\"}\n"
      "{\"text\":\"短\"}\n"
      "{\"text\":\"请拨打 13812345678 或写信给 someone@example.com 联系我们\"}\n");
  mine.rules.language = Language::kChinese;
  mine.rules.characters_min = 3;
  const auto report = run(mine);
  ASSERT_TRUE(report) << report.error().message;
  const CorpusReport found = corpus_report_of(*report);
  EXPECT_EQ(found.texts_read, 8U);
  EXPECT_EQ(found.texts_kept, 2U);
  const auto dropped = [&](Drop drop) {
    const auto& one = found.dropped[static_cast<std::size_t>(drop)];
    return std::to_string(one.texts) +
           one.first.substr(std::min(one.first.size(), one.first.rfind(':')));
  };
  EXPECT_EQ(dropped(Drop::kDuplicate), "1:2");
  EXPECT_EQ(dropped(Drop::kNearDuplicate), "1:3");
  EXPECT_EQ(dropped(Drop::kEmpty), "1:4");
  EXPECT_EQ(dropped(Drop::kUnreadable), "1:5");
  EXPECT_EQ(dropped(Drop::kLanguage), "1:6");
  EXPECT_EQ(dropped(Drop::kShort), "1:7");
  EXPECT_EQ(found.texts_masked, 1U);
  EXPECT_EQ(found.places_masked, 2U);
  const auto kept = texts("small");
  EXPECT_EQ(std::set<std::string>(kept.begin(), kept.end()),
            (std::set<std::string>{"今天的天气很好，我们去公园散步吧",
                                   "请拨打 <phone> 或写信给 <email> 联系我们"}));
  const std::string written = read_file(folder_ / "small/report.json").value();
  EXPECT_EQ(written.find("13812345678"), std::string::npos);
}

// The end of the files is chance, too: no order of the input is left.
TEST_F(CorpusMakerTest, TextsAreShuffled) {
  std::string rows;
  for (int i = 0; i < 1000; ++i) rows += "{\"text\":\"" + std::to_string(i * 7919) + "\"}\n";
  MakeCorpusOptions mine = small(rows);
  mine.rules.near = 0;
  ASSERT_TRUE(run(mine));
  const auto kept = texts("small");
  ASSERT_EQ(kept.size(), 1000U);
  std::size_t rising = 0;
  for (std::size_t i = 1; i < kept.size(); ++i) {
    rising += std::stol(kept[i - 1]) < std::stol(kept[i]) ? 1 : 0;
  }
  EXPECT_GT(rising, 430U);
  EXPECT_LT(rising, 570U);
}

TEST_F(CorpusMakerTest, LongTextsAreCut) {
  std::string text;
  while (text.size() < 3 * kPlainTextBytesMax) text += std::to_string(text.size()) + " 长文一行\n";
  MakeCorpusOptions mine = small(dump_json(Json{{"text", text}}) + "\n");
  const auto report = run(mine);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(corpus_report_of(*report).texts_kept, 4U);
  EXPECT_EQ(corpus_report_of(*report).pieces_cut, 3U);
}

TEST_F(CorpusMakerTest, NothingLeftIsAnError) {
  const auto report = run(small("rubbish\n"));
  EXPECT_EQ(report.error().code, Code::kInvalidArgument);
  EXPECT_NE(report.error().message.find("small.jsonl:1"), std::string::npos);
}

}  // namespace
}  // namespace qiao::learn
