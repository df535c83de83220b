// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "text/bert_words.h"

namespace qiao::model {

inline constexpr std::size_t kWordCharactersMax = 100;  // a longer word is one [UNK]

// The characters (code points of the text) a piece stands for, [begin, end); begin is -1 for [CLS]
// and [SEP].
struct PieceRange {
  std::int32_t begin = -1;
  std::int32_t end = -1;
};

// One text as ids, each with its place. Of two texts each piece has its place in its own.
struct Encoded {
  std::vector<std::int32_t> ids;
  std::vector<PieceRange> ranges;
  std::size_t second = 0;  // the id where the second of two texts begins; 0: there is one
};

// BERT's tokenizer: bert_words(), then the longest piece that fits, again and again (WordPiece).
// Equal to Hugging Face's, but that `[SEP]` and its like in a text are plain text: what a person
// writes never becomes a control token.
//
// Immutable after make(), thread-safe.
class WordPiece {
 public:
  // `pieces` by id, in Hugging Face's form (`##` marks the inside of a word). `unsupported` when
  // [PAD], [UNK], [CLS] or [SEP] is missing, `corrupt` when a piece stands twice.
  static Result<WordPiece> make(std::vector<std::string> pieces, const BertTextRules& rules);

  // [CLS] text [SEP], cut to `tokens_max` with the end kept as [SEP]. Requires: tokens_max >= 2.
  [[nodiscard]] Encoded encode(std::string_view text, std::size_t tokens_max) const;
  // [CLS] first [SEP] second [SEP]; what is too long loses the end of the longer text. Requires:
  // tokens_max >= 5.
  [[nodiscard]] Encoded encode_pair(std::string_view first, std::string_view second,
                                    std::size_t tokens_max) const;

  [[nodiscard]] const std::vector<std::string>& pieces() const { return pieces_; }
  [[nodiscard]] const BertTextRules& rules() const { return rules_; }
  [[nodiscard]] std::int32_t pad() const { return pad_; }

 private:
  WordPiece() = default;
  // Appends the pieces of a text, at most `count`.
  void append_text(std::string_view text, std::size_t count, Encoded& out) const;
  static void append_control(std::int32_t id, Encoded& out);
  // Appends the pieces of one word; false when none fits.
  bool append_word(const BertWord& word, Encoded& out) const;

  std::vector<std::string> pieces_;
  std::unordered_map<std::u32string, std::int32_t> starts_;     // pieces that begin a word
  std::unordered_map<std::u32string, std::int32_t> continues_;  // without their ##
  std::size_t longest_ = 0;                                     // characters of a piece
  BertTextRules rules_;
  std::int32_t pad_ = 0;
  std::int32_t unknown_ = 0;
  std::int32_t cls_ = 0;
  std::int32_t separator_ = 0;
};

// What tokenizer.json says of a control piece: text never becomes it.
Json added_token(std::size_t id, const std::string& piece);
// Hugging Face's tokenizer.json of `tokenizer`, for other programs and for our own import.
std::string tokenizer_json(const WordPiece& tokenizer);

// Reads tokenizer.json or vocab.txt. `lowercase` as in model::read_vocabulary.
Result<WordPiece> read_wordpiece(const std::string& path, int lowercase);

}  // namespace qiao::model
