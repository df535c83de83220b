// SPDX-License-Identifier: Apache-2.0
#include "model/bundle/wordpiece.h"

#include <gtest/gtest.h>

#include "base/disk.h"
#include "base/json.h"
#include "base/testing/temp_folder.h"

namespace qiao::model {
namespace {

std::vector<std::string> some_pieces() {
  return {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##b", "你", "好", "["};
}

WordPiece make(std::vector<std::string> pieces, BertTextRules rules = {}) {
  return WordPiece::make(std::move(pieces), rules).value();
}

// Every id and every place equals Hugging Face's, on texts chosen for their traps: accents,
// Hangul, compatibility ideographs, controls, blanks of all kinds, words of 99 to 101 letters.
TEST(WordPiece, GivesHuggingFacesIds) {
  const auto golden =
      parse_json(read_file(QIAO_TEST_DATA "/wordpiece_golden.json").value_or("")).value();
  const auto pieces = golden["pieces"].get<std::vector<std::string>>();
  std::size_t compared = 0;
  for (const Json& run : golden["runs"]) {
    const WordPiece tokenizer =
        make(pieces, {run["lowercase"].get<bool>(), run["strip_accents"].get<bool>()});
    for (const Json& row : run["rows"]) {
      const Encoded encoded = tokenizer.encode(row["text"].get<std::string>(), 512);
      EXPECT_EQ(encoded.ids, row["ids"].get<std::vector<std::int32_t>>()) << dump_json(row["text"]);
      std::vector<std::int32_t> begins;
      for (const PieceRange& range : encoded.ranges) begins.push_back(range.begin);
      EXPECT_EQ(begins, row["begins"].get<std::vector<std::int32_t>>()) << dump_json(row["text"]);
      ++compared;
    }
  }
  EXPECT_GT(compared, 100U);
}

TEST(WordPiece, ControlTokensInATextArePlainText) {
  const Encoded encoded = make(some_pieces()).encode("[SEP]", 16);
  EXPECT_EQ(encoded.ids, (std::vector<std::int32_t>{2, 10, 1, 1, 3}));
}

TEST(WordPiece, CutsAndKeepsTheEnd) {
  const Encoded encoded = make(some_pieces()).encode("a b 你 好", 4);
  EXPECT_EQ(encoded.ids, (std::vector<std::int32_t>{2, 5, 6, 3}));
  EXPECT_EQ(encoded.ranges.size(), 4U);
}

TEST(WordPiece, APairLosesTheEndOfTheLongerText) {
  using Ids = std::vector<std::int32_t>;
  const WordPiece tokenizer = make(some_pieces());
  const Encoded whole = tokenizer.encode_pair("a b", "你好", 16);
  EXPECT_EQ(whole.ids, (Ids{2, 5, 6, 3, 8, 9, 3}));
  EXPECT_EQ(whole.second, 4U);
  EXPECT_EQ(whole.ranges[5].begin, 1);
  EXPECT_EQ(tokenizer.encode_pair("a b a b", "你", 7).ids, (Ids{2, 5, 6, 5, 3, 8, 3}));
  EXPECT_EQ(tokenizer.encode_pair("a", "你好你好", 7).ids, (Ids{2, 5, 3, 8, 9, 8, 3}));
  EXPECT_EQ(tokenizer.encode_pair("a b a b", "你好你好", 7).ids, (Ids{2, 5, 6, 3, 8, 9, 3}));
}

TEST(WordPiece, RefusesVocabulariesThatAreNotBerts) {
  EXPECT_EQ(WordPiece::make({"a", "b"}, {}).error().code, Code::kUnsupported);
  auto twice = some_pieces();
  twice.emplace_back("a");
  EXPECT_EQ(WordPiece::make(twice, {}).error().code, Code::kCorrupt);
}

TEST(WordPiece, ItsOwnJsonReadsBack) {
  const testing::TempFolder folder;
  const WordPiece tokenizer = make(some_pieces(), {true, false});
  const std::string path = folder.write("tokenizer.json", tokenizer_json(tokenizer));
  const auto back = read_wordpiece(path, -1);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->pieces(), tokenizer.pieces());
  EXPECT_TRUE(back->rules().lowercase);
  EXPECT_FALSE(back->rules().strip_accents);
}

}  // namespace
}  // namespace qiao::model
