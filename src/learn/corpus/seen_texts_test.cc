// SPDX-License-Identifier: Apache-2.0
#include "learn/corpus/seen_texts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "base/random.h"

namespace qiao::learn {
namespace {

using Verdict = SeenTexts::Verdict;

// A word of letters alone: digits would be a word of their own.
std::string word_of(std::uint64_t number) {
  std::string word = "w";
  for (; number > 0; number /= 10) word.push_back(static_cast<char>('a' + number % 10));
  return word;
}
std::vector<std::string> random_words(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<std::string> words;
  for (std::size_t i = 0; i < count; ++i) words.push_back(word_of(rng.below(5000)));
  return words;
}
std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + " ";
  return text;
}
// The overlap as it is defined.
double true_overlap(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  const auto shingles = [](const std::vector<std::string>& words) {
    std::set<std::string> all;
    for (std::size_t i = 0; i + 5 <= words.size(); ++i) {
      all.insert(
          joined({words.begin() + std::ptrdiff_t(i), words.begin() + std::ptrdiff_t(i) + 5}));
    }
    return all;
  };
  const auto left = shingles(a);
  const auto right = shingles(b);
  std::size_t both = 0;
  for (const std::string& one : left) both += right.count(one);
  return double(both) / double(left.size() + right.size() - both);
}

// Texts with some words changed: the mean error of the estimate is that of 126 throws of a coin.
TEST(MinHash, EstimatesTheOverlap) {
  for (const std::size_t size : {40, 400, 3000}) {
    double error = 0;
    double bias = 0;
    constexpr int kRounds = 60;
    for (int round = 0; round < kRounds; ++round) {
      const auto words = random_words(size, std::uint64_t(round) + size);
      auto other = words;
      Rng rng{std::uint64_t(round)};
      for (int i = 0; i <= round % 6; ++i) {
        other[rng.below(size)] = word_of(5000 + static_cast<std::uint64_t>(i));
      }
      const double off =
          overlap(min_hash(joined(words)), min_hash(joined(other))) - true_overlap(words, other);
      error += off * off;
      bias += off;
    }
    EXPECT_LT(std::sqrt(error / kRounds), 0.07) << size;
    EXPECT_LT(std::abs(bias / kRounds), 0.03) << size;
  }
  EXPECT_LT(overlap(min_hash(joined(random_words(500, 1))), min_hash(joined(random_words(500, 2)))),
            0.05);
}

TEST(SeenTexts, TellsTheSameAndNearlyTheSame) {
  SeenTexts seen(64 << 20, 0.8);
  const auto words = random_words(300, 9);
  const std::string text = joined(words);
  auto changed = words;
  changed[100] = "other";
  const std::string near = joined(changed);
  seen.add(text_hash(text), min_hash(text));
  EXPECT_EQ(seen.find(text_hash(text), min_hash(text)), Verdict::kSame);
  EXPECT_EQ(seen.find(text_hash(near), min_hash(near)), Verdict::kNearlySame);
  const std::string far = joined(random_words(300, 10));
  EXPECT_EQ(seen.find(text_hash(far), min_hash(far)), Verdict::kNew);
  SeenTexts exact(64 << 20, 0);
  exact.add(text_hash(text), min_hash(text));
  EXPECT_EQ(exact.find(text_hash(near), min_hash(near)), Verdict::kNew);
}

TEST(SeenTexts, ChineseTextsAreComparedByCharacters) {
  const std::string text = "订单已经发出，预计明天下午送到，请保持电话畅通，谢谢您的耐心等待。";
  const std::string near = "订单已经发出，预计明天下午送到，请保持电话畅通，谢谢您的耐心等候。";
  SeenTexts seen(1 << 20, 0.7);
  seen.add(text_hash(text), min_hash(text));
  EXPECT_EQ(seen.find(text_hash(near), min_hash(near)), Verdict::kNearlySame);
}

// The older half is forgotten; what is left is at least what was promised.
TEST(SeenTexts, ForgetsWhenItsMemoryIsFull) {
  SeenTexts seen(1 << 20, 0.8);
  const std::size_t half = seen.remembered_min();
  ASSERT_LT(half, 2000U);
  const auto text = [](std::size_t i) { return joined(random_words(8, i + 1000)); };
  const auto add = [&](std::size_t i) { seen.add(text_hash(text(i)), min_hash(text(i))); };
  for (std::size_t i = 0; i < 2 * half; ++i) add(i);
  EXPECT_FALSE(seen.forgot());
  EXPECT_EQ(seen.find(text_hash(text(0)), min_hash(text(0))), Verdict::kSame);
  for (std::size_t i = 2 * half; i < 3 * half; ++i) add(i);
  EXPECT_TRUE(seen.forgot());
  EXPECT_EQ(seen.find(text_hash(text(0)), min_hash(text(0))), Verdict::kNew);
  const std::size_t last = 3 * half - 1;
  EXPECT_EQ(seen.find(text_hash(text(last - half)), min_hash(text(last - half))), Verdict::kSame);
}

}  // namespace
}  // namespace qiao::learn
