// SPDX-License-Identifier: Apache-2.0
#include "learn/tokenizers/tokenizer_maker.h"

#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/random.h"
#include "base/testing/temp_folder.h"
#include "learn/data/token_corpus.h"
#include "learn/data/token_folder.h"
#include "learn/tokenizers/bpe_codec.h"
#include "learn/tokenizers/left_out.h"
#include "learn/tokenizers/merge_trainer.h"
#include "learn/tokenizers/wordpiece_codec.h"
#include "text/utf8.h"

namespace qiao::learn {
namespace {

using testing::TempFolder;
using Ids = std::vector<std::int64_t>;

constexpr const char* kSentences = QIAO_TEST_DATA "/sentences.txt";

// What tokenizers trip over.
std::vector<std::string> traps() {
  std::vector<std::string> all = {"",
                                  " ",
                                  "  \n\n  \t x",
                                  "a\n\n\nb \n c",
                                  "it's WE'LL don't 'tis rock'n'roll ''s",
                                  "1,234.56 €99 ½ ² Ⅷ 20°C",
                                  "你好，世界！２０２４年 全角　空格",
                                  "한국어 하",
                                  "e\u0301 ẹ́́ Ångström İstanbul ﬁ",
                                  "<|endoftext|> </s> [SEP] <unk>",
                                  "😀🤖👨\u200D👩\u200D👧 ☃",
                                  "\u00a0\u2003\u3000no-break",
                                  "ж Жж ЁЖ Σίσυφος",
                                  std::string(99, 'a') + " " + std::string(100, 'b') + " " +
                                      std::string(101, 'c') + " " + std::string(700, 'x')};
  std::string han;
  for (int i = 0; i < 300; ++i) append_utf8(han, 0x4E00 + char32_t(i * 37 % 2000));
  all.push_back(han);
  all.push_back(read_file(kSentences).value());
  return all;
}

class TokenizerTest : public ::testing::Test {
 protected:
  std::shared_ptr<const TextCodec> make(TokenizerKind kind, std::int64_t vocabulary,
                                        std::int64_t threads = 2) {
    MakeTokenizerOptions options;
    options.in = {kSentences};
    options.kind = kind;
    options.vocabulary = vocabulary;
    options.lowercase = true;
    options.threads = threads;
    auto made = make_tokenizer(options, progress_, stop_);
    EXPECT_TRUE(made) << made.error().message;
    return made ? made->codec : nullptr;
  }
  std::shared_ptr<const TextCodec> saved_and_loaded(const TextCodec& codec) {
    const std::string path = folder_ / "saved";
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
    EXPECT_TRUE(codec.save(disk_, path));
    auto loaded = load_text_codec(path);
    EXPECT_TRUE(loaded) << loaded.error().message;
    return *loaded;
  }
  // As llama.cpp reads it out of a GGUF.
  std::shared_ptr<const GgufCodec> in_llama(const TextCodec& codec) {
    model::GgufWriter gguf;
    gguf.set("general.architecture", "llama");
    EXPECT_TRUE(codec.describe(gguf));
    const std::string path = folder_ / "tokenizer.gguf";
    EXPECT_TRUE(write_gguf(disk_, path, gguf, nullptr));
    auto opened = GgufCodec::open(path);
    EXPECT_TRUE(opened) << opened.error().message;
    return *opened;
  }
  static std::string decoded(const TextCodec& codec, const Ids& ids) {
    std::string out;
    for (const std::int64_t id : ids) out += codec.decode(id);
    return out;
  }

  TempFolder folder_;
  SystemDisk disk_;
  Progress progress_{Language::kEnglish, false};
  std::atomic<bool> stop_{false};
};

// The example of Sennrich et al.: low ×5, lower ×2, newest ×6, widest ×3 without the end of a word.
TEST(LearnMerges, TakesTheMostFrequentPair) {
  const auto word = [](const char* text, std::uint64_t count) {
    CountedWord one{{}, count};
    for (const char* c = text; *c != 0; ++c) one.symbols.push_back(static_cast<unsigned char>(*c));
    return one;
  };
  const auto merges = learn_merges(
      {word("low", 5), word("lower", 2), word("newest", 6), word("widest", 3)}, 256, 4);
  ASSERT_EQ(merges.size(), 4U);
  EXPECT_EQ(merges[0].left, std::uint32_t{'e'});  // es, 9 times; of equals the lower numbers
  EXPECT_EQ(merges[0].right, std::uint32_t{'s'});
  EXPECT_EQ(merges[1].left, 256U);  // est
  EXPECT_EQ(merges[1].right, std::uint32_t{'t'});
  EXPECT_EQ(merges[2].left, std::uint32_t{'l'});                  // lo, 7 times
  EXPECT_EQ(merges[3].left, 258U);                                // low
  EXPECT_EQ(learn_merges({word("aaaa", 1)}, 256, 9).size(), 1U);  // aa aa stands once
}

// Counts kept up to date are those of counting anew after each merge.
TEST(LearnMerges, EqualsCountingAnew) {
  Rng rng(5);
  std::vector<CountedWord> words;
  for (int i = 0; i < 200; ++i) {
    CountedWord word{{}, 1 + rng.below(9)};
    for (std::uint64_t n = 1 + rng.below(12); n > 0; --n) {
      word.symbols.push_back(static_cast<std::uint32_t>(rng.below(4)));
    }
    words.push_back(std::move(word));
  }
  const auto merges = learn_merges(words, 4, 60);
  std::vector<CountedWord> plain = words;
  for (std::size_t m = 0; m < merges.size(); ++m) {
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> counts;
    for (const CountedWord& word : plain) {
      for (std::size_t i = 0; i + 1 < word.symbols.size(); ++i) {
        counts[{word.symbols[i], word.symbols[i + 1]}] += word.count;
      }
    }
    const auto best = std::max_element(counts.begin(), counts.end(),
                                       [](auto& a, auto& b) { return a.second < b.second; });
    ASSERT_EQ(std::pair(merges[m].left, merges[m].right), best->first) << m;
    for (CountedWord& word : plain) {
      std::vector<std::uint32_t> out;
      for (std::size_t i = 0; i < word.symbols.size(); ++i) {
        const bool both = i + 1 < word.symbols.size() && word.symbols[i] == merges[m].left &&
                          word.symbols[i + 1] == merges[m].right;
        out.push_back(both ? static_cast<std::uint32_t>(4 + m) : word.symbols[i]);
        i += both ? 1 : 0;
      }
      word.symbols = std::move(out);
    }
  }
}

TEST_F(TokenizerTest, BpeGivesEveryTextBack) {
  const auto codec = make(TokenizerKind::kBpe, 450);
  ASSERT_EQ(codec->size(), 450);
  const auto loaded = saved_and_loaded(*codec);
  EXPECT_EQ(fingerprint(*loaded), fingerprint(*codec));
  for (const std::string& text : traps()) {
    const Ids ids = codec->encode(text).value();
    EXPECT_EQ(decoded(*codec, ids), text);
    EXPECT_EQ(loaded->encode(text).value(), ids);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), codec->end()), 0);
  }
  const std::string bytes = "\xff\x80 \xe4\xbd";
  EXPECT_EQ(decoded(*codec, codec->encode(bytes).value()), bytes);
  EXPECT_LT(codec->encode("订单已经发出").value().size(), 12U);
}

TEST_F(TokenizerTest, WithoutTextThereIsNone) {
  MakeTokenizerOptions options;
  options.in = {folder_.write("empty.txt", "")};
  options.threads = 1;
  const auto made = make_tokenizer(options, progress_, stop_);
  ASSERT_FALSE(made);
  const Error& error = made.error();
  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_NE(error.message.find("empty.txt"), std::string::npos) << error.message;
}

TEST_F(TokenizerTest, AnyNumberOfThreadsLearnsTheSame) {
  for (const auto kind : {TokenizerKind::kBpe, TokenizerKind::kUnigram, TokenizerKind::kWordPiece,
                          TokenizerKind::kCharacters}) {
    EXPECT_EQ(fingerprint(*make(kind, 700, 1)), fingerprint(*make(kind, 700, 4)));
  }
}

#ifdef QIAO_TEST_GGUF
TEST_F(TokenizerTest, LlamaMakesTheSameBpeTokens) {
  const auto codec = make(TokenizerKind::kBpe, 450);
  const auto theirs = in_llama(*codec);
  ASSERT_EQ(theirs->size(), codec->size());
  EXPECT_EQ(theirs->end(), codec->end());
  for (const std::string& text : traps()) {
    EXPECT_EQ(theirs->encode(text).value(), codec->encode(text).value()) << text;
  }
}

TEST_F(TokenizerTest, LlamaMakesTheSameUnigramTokens) {
  const auto codec = make(TokenizerKind::kUnigram, 700);
  const auto theirs = in_llama(*codec);
  ASSERT_EQ(theirs->size(), codec->size());
  EXPECT_EQ(theirs->end(), codec->end());
  for (const std::string& text : traps()) {
    EXPECT_EQ(theirs->encode(text).value(), codec->encode(text).value()) << text;
  }
}
#endif

TEST_F(TokenizerTest, SentencePieceMakesTheSameUnigramTokens) {
  const auto codec = make(TokenizerKind::kUnigram, 700);
  saved_and_loaded(*codec);
  sentencepiece::SentencePieceProcessor theirs;
  ASSERT_TRUE(theirs.Load(folder_ / "saved/tokenizer.model").ok());
  Rng rng(7);
  std::vector<std::string> texts = traps();
  for (int i = 0; i < 200; ++i) {  // their ends and beginnings, anyhow joined
    const std::string& one = texts[rng.below(traps().size())];
    const std::string& other = texts[rng.below(traps().size())];
    texts.push_back(one.substr(one.size() / 2) + other.substr(0, rng.below(other.size() + 1)));
  }
  for (const std::string& text : texts) {
    std::vector<int> ids;
    ASSERT_TRUE(theirs.Encode(text, &ids).ok());
    EXPECT_EQ(codec->encode(text).value(), Ids(ids.begin(), ids.end())) << text;
  }
}

TEST_F(TokenizerTest, UnigramGivesKnownTextBack) {
  const auto codec = make(TokenizerKind::kUnigram, 700);
  const auto loaded = saved_and_loaded(*codec);
  const std::string text = "The message is on the disk.\n\n订单已经发出  再见";
  const Ids ids = codec->encode(text).value();
  EXPECT_EQ(loaded->encode(text).value(), ids);
  EXPECT_NE(decoded(*codec, ids).find("The message is on the disk.\n\n订单"), std::string::npos);
  EXPECT_LT(ids.size(), 40U);
}

TEST_F(TokenizerTest, WordPieceIsOneOfBerts) {
  const auto codec = make(TokenizerKind::kWordPiece, 700);
  const auto loaded = saved_and_loaded(*codec);
  EXPECT_EQ(fingerprint(*loaded), fingerprint(*codec));
  const Ids ids = codec->encode("The Message goes 订单").value();
  std::string all;
  for (const std::int64_t id : ids) all += codec->decode(id);
  EXPECT_EQ(all, " the message goes 订 单");
  EXPECT_LT(ids.size(), 9U);
  model::GgufWriter gguf;
  EXPECT_EQ(codec->describe(gguf).error().code, Code::kUnsupported);
}

// Made once by Hugging Face's tokenizers, which learnt it from sentences.txt.
TEST(TokenizerGolden, HuggingFaceMakesTheSameBpeTokens) {
  const Json golden = parse_json(read_file(QIAO_TEST_DATA "/bpe_golden.json").value_or("")).value();
  const auto codec = BpeCodec::of_json(golden["tokenizer"]);
  ASSERT_TRUE(codec) << codec.error().message;
  ASSERT_GT(golden["rows"].size(), 20U);
  for (const Json& row : golden["rows"]) {
    const auto ids = (*codec)->encode(row["text"].get<std::string>()).value();
    EXPECT_EQ(ids, row["ids"].get<Ids>()) << row["text"];
  }
}

TEST(BpeCodec, RefusesOtherKindsByName) {
  const auto why = [](const char* text) {
    return BpeCodec::of_json(parse_json(text).value()).error().message;
  };
  EXPECT_NE(why(R"({"model":{"type":"Unigram"}})").find("Unigram"), std::string::npos);
  EXPECT_NE(why(R"({"model":{"type":"BPE"},"normalizer":{"type":"NFC"}})").find("normalizer"),
            std::string::npos);
  EXPECT_NE(why(R"({"model":{"type":"BPE"},"pre_tokenizer":{"type":"Split"}})").find("ByteLevel"),
            std::string::npos);
}

// Two characters that no sentence has, in a row and alone; a run of them is one token of a unigram
// model. Separators are no characters of a document.
TEST_F(TokenizerTest, WhatIsLeftOutIsCounted) {
  const std::string text = "the \U00020000\U00020001 and \U00020000 the";
  for (const TokenizerKind kind : {TokenizerKind::kCharacters, TokenizerKind::kUnigram}) {
    const auto codec = make(kind, 700);
    ASSERT_NE(codec, nullptr);
    const LeftOut left = left_out_of(text, codec->encode(text).value(), *codec);
    EXPECT_EQ(left.characters, 16U);
    EXPECT_EQ(left.left_out, 3U);
    EXPECT_EQ(left_out_of("the and", codec->encode("the and").value(), *codec).left_out, 0U);
    const auto corpus = make_corpus(text + "|" + text, *codec, {"text", "|", 0.5, 0});
    ASSERT_TRUE(corpus) << corpus.error().message;
    EXPECT_EQ(corpus->left_out->characters, 32U);
    EXPECT_EQ(corpus->left_out->left_out, 6U);
  }
  const auto whole = make(TokenizerKind::kBpe, 400);
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(left_out_of(text, whole->encode(text).value(), *whole).left_out, 0U);
}

}  // namespace
}  // namespace qiao::learn
