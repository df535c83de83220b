// SPDX-License-Identifier: Apache-2.0
#include "learn/finetune.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/digest.h"
#include "base/random.h"
#include "learn/bundle.h"
#include "learn/evaluate.h"
#include "learn/tensor_file.h"
#include "model/testing/temp_folder.h"

namespace qiao::learn {
namespace {

using testing::TempFolder;

// A base of chance weights over a vocabulary of letters, and texts whose label (or tag) is told by
// their letters: `a` and `b` in label x, `c` and `d` in label y; `e` is a name.
class FinetuneTest : public ::testing::Test {
 protected:
  void SetUp() override {
    EncoderShape shape;
    shape.layers = 1;
    shape.width = 16;
    shape.inner = 32;
    shape.heads = 2;
    shape.positions = 32;
    shape.vocabulary = 10;
    const auto tokenizer =
        WordPiece::make({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d", "e"}, {})
            .value();
    torch::manual_seed(4);
    const Encoder encoder(shape, 0.0);
    folder_.write("base/config.json", dump_json(config_of_shape(shape)));
    folder_.write("base/tokenizer.json", tokenizer_json(tokenizer));
    ASSERT_TRUE(save_tensors(disk_, folder_ / "base/model.safetensors", weights_of(encoder)));
    write_rows("train.jsonl", 200, 1);
    write_rows("dev.jsonl", 40, 2);
  }

  void write_rows(const std::string& name, int count, std::uint64_t seed) {
    Rng rng(seed);
    std::string out;
    for (int i = 0; i < count; ++i) {
      const bool x = rng.below(2) == 0;
      std::string text;
      Json tags = Json::array();
      const std::uint64_t words = 2 + rng.below(6);
      for (std::uint64_t w = 0; w < words; ++w) {
        const bool named = rng.below(4) == 0;
        text += (w == 0 ? "" : " ");
        if (w > 0) tags.push_back("O");
        text += named ? 'e' : static_cast<char>((x ? 'a' : 'c') + static_cast<int>(rng.below(2)));
        tags.push_back(named ? "B-NAME" : "O");
      }
      out += dump_json({{"text", text}, {"label", x ? "x" : "y"}, {"tags", tags}}) + "\n";
    }
    folder_.write(name, out);
  }

  FinetuneOptions options(const std::string& out) {
    FinetuneOptions options;
    options.base = folder_ / "base";
    options.train = folder_ / "train.jsonl";
    options.dev = folder_ / "dev.jsonl";
    options.out = folder_ / out;
    options.epochs = 3;
    options.rate = 3e-3;
    options.bfloat16 = false;
    return options;
  }

  Result<Json> run(const FinetuneOptions& options) {
    return finetune(disk_, options, progress_, stop_);
  }

  std::string weights_of_bundle(const std::string& name) {
    return sha256_file_hex(folder_ / (name + "/model.safetensors")).value_or("none");
  }

  TempFolder folder_;
  SystemDisk disk_;
  Progress progress_{Language::kEnglish, false};
  std::atomic<bool> stop_{false};
};

TEST_F(FinetuneTest, LearnsLabelsAndTheBundleSaysTheSame) {
  const auto card = run(options("bundle"));
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_GT(json_number((*card)["dev"], "accuracy").value_or(0), 0.95);
  EXPECT_EQ((*card)["data"]["train"]["rows"], 200);

  Bundle bundle = load_bundle(folder_ / "bundle").value();
  const RowFile dev = read_rows(folder_ / "dev.jsonl", Task::kClassify).value();
  const Exam exam = make_exam(dev, bundle.task, bundle.tokenizer, bundle.labels, bundle.tokens_max);
  const Report report =
      evaluate(bundle.model, exam, bundle.labels, bundle.tokenizer.pad(), false).value();
  EXPECT_DOUBLE_EQ(report.accuracy, json_number((*card)["dev"], "accuracy").value_or(0));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "bundle.partial"));
}

TEST_F(FinetuneTest, LearnsTags) {
  FinetuneOptions wanted = options("bundle");
  wanted.task = Task::kTag;
  const auto card = run(wanted);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_GT(json_number((*card)["dev"], "entity_f1").value_or(0), 0.95);
}

TEST_F(FinetuneTest, TheSameSeedGivesTheSameBytes) {
  ASSERT_TRUE(run(options("one")));
  ASSERT_TRUE(run(options("two")));
  FinetuneOptions other = options("three");
  other.seed = 2;
  ASSERT_TRUE(run(other));
  EXPECT_EQ(weights_of_bundle("one"), weights_of_bundle("two"));
  EXPECT_NE(weights_of_bundle("one"), weights_of_bundle("three"));
}

// Stopped before its first step, and so again in every later one: the end is that of an unbroken
// run, to the bit.
TEST_F(FinetuneTest, AResumedRunEndsAsAnUnbrokenOne) {
  ASSERT_TRUE(run(options("unbroken")));
  stop_ = true;
  const auto stopped = run(options("broken"));
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  EXPECT_NE(stopped.error().message.find("--resume"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "broken"));

  FinetuneOptions again = options("broken");
  again.resume = true;
  again.seed = 9;
  EXPECT_EQ(run(again).error().code, Code::kPrecondition);  // not the run that was saved
  again.seed = 1;
  again.stop_after = 5;
  stop_ = false;
  ASSERT_FALSE(run(again));
  again.stop_after = 13;
  ASSERT_FALSE(run(again));
  again.stop_after = 0;
  const auto resumed = run(again);
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ(weights_of_bundle("unbroken"), weights_of_bundle("broken"));
}

TEST_F(FinetuneTest, ARateTooHighIsToldAndLeavesNoBundle) {
  FinetuneOptions wild = options("bundle");
  wild.rate = 1e30;
  const auto card = run(wild);
  ASSERT_FALSE(card);
  EXPECT_EQ(card.error().code, Code::kModelFailed);
  EXPECT_NE(card.error().message.find("--rate"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "bundle"));
}

TEST_F(FinetuneTest, WrongInputIsNamed) {
  FinetuneOptions wrong = options("bundle");
  folder_.write("other.jsonl", "{\"text\":\"a\",\"label\":\"z\"}\n");
  wrong.dev = folder_ / "other.jsonl";
  EXPECT_NE(run(wrong).error().message.find("other.jsonl:1: \"z\""), std::string::npos);

  const std::string weights = read_file(folder_ / "base/model.safetensors").value();
  folder_.write("base/model.safetensors", weights.substr(0, weights.size() - 100));
  const auto cut = run(options("bundle"));
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Code::kCorrupt);
  EXPECT_NE(cut.error().message.find("output.LayerNorm"), std::string::npos) << cut.error().message;
}

}  // namespace
}  // namespace qiao::learn
