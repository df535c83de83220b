// SPDX-License-Identifier: Apache-2.0
#include "learn/training/masked.h"

#include <gtest/gtest.h>

#include "learn/commands/commands.h"
#include "learn/corpus/corpus_maker.h"
#include "learn/data/token_folder.h"
#include "learn/files/json_file.h"
#include "learn/models/masked_model.h"
#include "learn/testing/letters.h"
#include "learn/testing/training_test.h"
#include "learn/tokenizers/wordpiece_codec.h"
#include "learn/training/precision.h"

namespace qiao::learn {
namespace {

EncoderShape shape_of(std::int64_t width, std::int64_t positions, std::int64_t vocabulary) {
  EncoderShape shape;
  shape.layers = 1;
  shape.width = width;
  shape.inner = 2 * width;
  shape.heads = 2;
  shape.positions = positions;
  shape.vocabulary = vocabulary;
  return shape;
}

class MaskedTest : public testing::TrainingTest {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 600; ++i) text += "春眠不觉晓\n\n";
    folder_.write("text.txt", text);
  }

  MaskedOptions options(const std::string& out) {
    MaskedOptions options;
    options.text = folder_ / "text.txt";
    options.out = folder_ / out;
    options.shape = shape_of(32, 0, 0);  // the rest is the text's
    options.context = 14;
    options.batch = 16;
    options.steps = 800;
    options.rate = 5e-3;
    options.warmup = 10;
    options.dropout = 0;
    options.rules.chinese_words = false;
    options.bfloat16 = false;
    return options;
  }
  Result<Json> run(const MaskedOptions& options) {
    return pretrain_masked(disk_, options, progress_, stop_, ranks_);
  }

  // The folder that `train corpus` makes of lines of letters: tokens of the folder `words`, or
  // texts.
  std::string corpus(const std::string& out, bool as_tokens) {
    folder_.write("words/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\n");
    Rng rng(1);
    std::string lines;
    for (int i = 0; i < 400; ++i) {
      for (int w = 0; w < 16; ++w) lines += {static_cast<char>('a' + rng.below(4)), ' '};
      lines += "\n\n";
    }
    MakeCorpusOptions options;
    options.in = {folder_.write("lines.txt", lines)};
    options.out = folder_ / out;
    if (as_tokens) options.tokenizer = folder_ / "words";
    options.rules.records.separator = "\n";
    options.shard_tokens = 1024;
    const auto made = make_text_corpus(disk_, options, progress_, stop_);
    EXPECT_TRUE(made) << made.error().message;
    return options.out;
  }
  // What the command says of `more` words; "" when nothing.
  std::string refused(const std::vector<std::string>& more) {
    std::vector<std::string> words = {"--text", folder_ / "none.txt", "--out", folder_ / "out"};
    words.insert(words.end(), more.begin(), more.end());
    const Status done = run_pretrain({Language::kEnglish, false, stop_}, words);
    if (done || done.error().code != Code::kInvalidArgument) return "";
    return done.error().message;
  }

  Ranks ranks_;
};

TEST_F(MaskedTest, LearnsFromAFolderOfTokensAndResumes) {
  MaskedOptions whole = options("unbroken");
  whole.text = corpus("tokens", true);
  whole.steps = 40;
  whole.look_every = 10;
  const auto card = run(whole);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_EQ((*card)["data"]["sha256"], sha256_file_hex(whole.text + "/index.json").value());
  EXPECT_EQ(
      (*card)["data"]["train_tokens"].get<int>() + (*card)["data"]["held_out_tokens"].get<int>(),
      400 * 17);
  EXPECT_TRUE(disk_.exists(whole.text + "/tokens-00006.bin"));
  MaskedOptions broken = whole;
  broken.out = folder_ / "broken";
  broken.stop_after = 17;
  EXPECT_EQ(run(broken).error().code, Code::kCancelled);
  broken.stop_after = 0;
  broken.resume = true;
  const auto resumed = run(broken);
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ((*resumed)["curve"], (*card)["curve"]);
  EXPECT_EQ(sum("unbroken"), sum("broken"));
}

TEST_F(MaskedTest, AFolderOfOtherTokensOrOfTextsIsRefused) {
  MaskedOptions other = options("bundle");
  const auto said = [&] { return run(other).error(); };
  other.text = corpus("tokens", true);
  other.tokenizer = folder_ / "more";
  folder_.write("more/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\n");
  EXPECT_EQ(said().code, Code::kInvalidArgument);
  EXPECT_NE(said().message.find("another tokenizer than the model's"), std::string::npos);
  other.tokenizer = folder_ / "cased";  // the same pieces
  const auto cased = model::WordPiece::make(
      {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d"}, {false, false});
  folder_.write("cased/tokenizer.json", model::tokenizer_json(*cased));
  EXPECT_NE(said().message.find("another tokenizer than the model's"), std::string::npos);
  other.tokenizer = "";
  other.text = corpus("texts", false);
  EXPECT_NE(said().message.find("give `qiao train corpus` a --tokenizer"), std::string::npos);
}

TEST_F(MaskedTest, ALongLineIsLearntWhole) {
  constexpr std::int64_t kWords = (std::int64_t{1} << 20) + 1000;
  std::string line;
  for (std::int64_t i = 0; i < kWords; ++i) line += i % 3 == 0 ? "a " : "b ";
  MaskedOptions one = options("bundle");
  one.text = folder_.write("line.txt", line + "\n \n");
  one.steps = 1;
  one.held_out = 0.01;
  const auto card = run(one);
  ASSERT_TRUE(card) << card.error().message;
  const Json& data = (*card)["data"];
  EXPECT_EQ(data["train_tokens"].get<std::int64_t>() + data["held_out_tokens"].get<std::int64_t>(),
            kWords + 1);  // [SEP]; none of the blank line
}

TEST_F(MaskedTest, TheCommandRefusesWhatNothingWouldRead) {
  for (const char* option : {"--separator", "--write", "--kv-heads"}) {
    EXPECT_TRUE(refused({"--arch", "bert", option, "2"}).starts_with(option)) << option;
  }
  for (const char* option :
       {"--tokenizer", "--layers", "--width", "--heads", "--kv-heads", "--inner"}) {
    EXPECT_TRUE(refused({"--base", "none", option, "4"}).starts_with(option)) << option;
    EXPECT_TRUE(refused({"--base", "none", "--arch", "bert", option, "4"}).starts_with(option))
        << option;
  }
  EXPECT_TRUE(refused({"--mask=0.2"}).starts_with("--mask"));
  EXPECT_TRUE(refused({"--single-pieces"}).starts_with("--single-pieces"));
  EXPECT_EQ(refused({"--separator", "2", "--write", "2", "--kv-heads", "2"}), "");
}

TEST_F(MaskedTest, TheRateRisesForATenthOfFewSteps) {
  const Status done =
      run_pretrain({Language::kEnglish, false, stop_}, {"--arch",    "bert",
                                                        "--text",    folder_ / "text.txt",
                                                        "--out",     folder_ / "few",
                                                        "--layers",  "1",
                                                        "--width",   "16",
                                                        "--heads",   "2",
                                                        "--context", "14",
                                                        "--batch",   "2",
                                                        "--steps",   "30",
                                                        "--threads", "1",
                                                        "--fp32"});
  ASSERT_TRUE(done) << done.error().message;
  const Json card = read_json_file(folder_ / "few/card.json").value();
  EXPECT_EQ(card["options"]["warmup"], 3);
}

TEST_F(MaskedTest, LearnsToFillTheGapsAndBecomesABase) {
  const auto card = run(options("bundle"));
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_GT(json_number(*card, "validation_accuracy").value_or(0), 0.9);
  folder_.write("train.jsonl", testing::letters_rows(60, 1));
  folder_.write("dev.jsonl", testing::letters_rows(20, 2));
  FinetuneOptions tuned = testing::letters_options(folder_, "tuned");
  tuned.base = folder_ / "bundle";
  tuned.epochs = 1;
  tuned.tokens_max = 14;
  const auto fine = finetune(disk_, tuned, progress_, stop_);
  EXPECT_TRUE(fine) << fine.error().message;
}

// Whatever this CPU has: pretrain_masked() itself takes bfloat16 only where it is faster.
TEST_F(MaskedTest, ItsGradientsInBfloat16AreNearThoseInBinary32) {
  const EncoderShape shape = shape_of(32, 14, 40);
  torch::manual_seed(1);
  MaskedModel model(shape, 0);
  model->begin_by_chance();
  const torch::Tensor ids = torch::randint(40, {4, 14}, torch::kLong);
  const torch::Tensor places = torch::arange(0, 56, 5);
  const torch::Tensor wanted = torch::randint(40, {places.numel()}, torch::kLong);
  const auto loss_and_slope = [&](bool bfloat16) {
    model->zero_grad();
    torch::Tensor loss;
    {
      const Bfloat16Scope scope(bfloat16);
      loss = torch::cross_entropy_loss(model->forward(ids, places).to(torch::kFloat), wanted);
    }
    loss.backward();
    return std::pair{loss.item<double>(), model->transform->weight.grad().norm().item<double>()};
  };
  const auto [loss, slope] = loss_and_slope(false);
  const auto [short_loss, short_slope] = loss_and_slope(true);
  EXPECT_NEAR(short_loss, loss, 0.02 * loss);
  EXPECT_NEAR(short_slope, slope, 0.05 * slope);
}

TEST_F(MaskedTest, AResumedRunEndsAsAnUnbrokenOne) {
  MaskedOptions whole = options("unbroken");
  whole.steps = 40;
  ASSERT_TRUE(run(whole));
  MaskedOptions broken = whole;
  broken.out = folder_ / "broken";
  broken.stop_after = 17;
  EXPECT_EQ(run(broken).error().code, Code::kCancelled);
  broken.stop_after = 0;
  broken.resume = true;
  const auto card = run(broken);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_EQ(sum("unbroken"), sum("broken"));
}

TEST_F(MaskedTest, GoesOnFromABase) {
  ASSERT_TRUE(run(options("base")));
  MaskedOptions more = options("more");
  more.base = folder_ / "base";
  more.steps = 20;
  more.rate = 1e-4;
  const auto card = run(more);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_GT(json_number(*card, "validation_accuracy").value_or(0), 0.9);  // its head came along
  more.out = folder_ / "long";
  more.context = 64;
  EXPECT_NE(run(more).error().message.find("reads at most 14"), std::string::npos);
}

TEST_F(MaskedTest, StopsEarlyWhenNothingGetsBetter) {
  MaskedOptions early = options("early");
  early.rate = 1e-12;
  early.look_every = 2;
  early.patience = 3;
  early.warmup = 0;
  const auto card = run(early);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_LT(json_integer(*card, "steps").value_or(999), 240);
}

// What stands behind a gap must not tell what is in it: only its own place may move.
TEST(MaskedText, WhatIsHiddenIsNotSeen) {
  const auto tokenizer =
      model::WordPiece::make({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##c"}, {})
          .value();
  const MaskTokens known = mask_tokens(tokenizer).value();
  std::string line;
  for (int i = 0; i < 200; ++i) line += "ac b ";
  const TokenRow text(WordPieceCodec(tokenizer).encode(line).value());
  ASSERT_EQ(text.size(), 600U);
  MaskRules rules;
  rules.as_mask = 1;
  rules.as_chance = 0;
  Rng rng(1);
  const MaskedRows rows = masked_rows(text, {0, 30}, 102, known, rules, rng);
  const torch::Tensor flat = rows.ids.flatten();
  EXPECT_NEAR(double(rows.places.numel()), 30, 2);
  for (std::int64_t i = 0; i < rows.places.numel(); ++i) {
    const std::int64_t at = rows.places[i].item<std::int64_t>();
    EXPECT_EQ(flat[at].item<std::int64_t>(), known.mask);
    // Whole words: `a` is hidden with its ##c.
    if (rows.targets[i].item<std::int64_t>() == 5 && (at + 2) % 102 != 0) {
      EXPECT_EQ(flat[at + 1].item<std::int64_t>(), known.mask);
    }
  }
  EXPECT_EQ(rows.ids[1][0].item<std::int64_t>(), known.cls);
  EXPECT_EQ(rows.ids[1][101].item<std::int64_t>(), known.separator);
}

TEST(MaskedText, ChineseWordsAreFoundAmongPieces) {
  const auto tokenizer = model::WordPiece::make({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "我",
                                                 "们", "喜", "欢", "北", "京", "a", "b", "##b"},
                                                {})
                             .value();
  const MaskTokens known = mask_tokens(tokenizer).value();
  const auto ids = WordPieceCodec(tokenizer).encode("我们喜欢北京ab b我们").value();
  using Begins = std::vector<bool>;
  EXPECT_EQ(word_begins(ids, known, true), (Begins{1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0}));
  EXPECT_EQ(word_begins(ids, known, false), (Begins{1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1}));
}

TEST(MaskedText, SharesAreThoseOfThePaper) {
  const auto tokenizer =
      model::WordPiece::make(
          {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "x", "y", "z"}, {})
          .value();
  const MaskTokens known = mask_tokens(tokenizer).value();
  std::string line;
  for (int i = 0; i < 4000; ++i) line += "a ";
  const TokenRow text(WordPieceCodec(tokenizer).encode(line).value());
  Rng rng(1);
  const MaskedRows rows =
      masked_rows(text, std::vector<std::size_t>(20, 0), 1002, known, MaskRules(), rng);
  const torch::Tensor now = rows.ids.flatten().index_select(0, rows.places);
  const double all = double(now.numel());
  EXPECT_NEAR(all / 20'000, 0.15, 0.005);
  EXPECT_NEAR(now.eq(known.mask).sum().item<double>() / all, 0.81, 0.03);  // also by chance
  EXPECT_NEAR(now.eq(rows.targets).sum().item<double>() / all, 0.11, 0.03);
}

TEST(MaskedModel, GradientsAreDifferencesOfTheLoss) {
  torch::manual_seed(5);
  EncoderShape shape = shape_of(8, 6, 9);
  shape.epsilon = 1e-5;
  MaskedModel model(shape, 0);
  model->to(torch::kDouble);
  const torch::Tensor ids = torch::tensor({{2, 4, 6, 3}, {2, 7, 4, 3}}, torch::kLong);
  const torch::Tensor places = torch::tensor({1, 6}, torch::kLong);
  const torch::Tensor targets = torch::tensor({5, 8}, torch::kLong);
  const auto loss = [&] {
    return torch::nn::functional::cross_entropy(model(ids, places), targets);
  };
  loss().backward();
  const torch::NoGradGuard no_grad;
  for (const auto& [name, weight] : weights_of(model)) {
    ASSERT_TRUE(weight.grad().defined()) << name;
    const torch::Tensor flat = weight.view(-1);
    const torch::Tensor gradient = weight.grad().to_dense().view(-1);
    for (const std::int64_t at : {std::int64_t{0}, flat.numel() / 2, flat.numel() - 1}) {
      constexpr double kStep = 1e-6;
      const double before = flat[at].item<double>();
      flat[at] = before + kStep;
      const double up = loss().item<double>();
      flat[at] = before - kStep;
      const double down = loss().item<double>();
      flat[at] = before;
      EXPECT_NEAR(gradient[at].item<double>(), (up - down) / (2 * kStep), 1e-6) << name;
    }
  }
}

}  // namespace
}  // namespace qiao::learn
