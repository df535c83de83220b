// SPDX-License-Identifier: Apache-2.0
#include "history/tokens.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/join.h"

namespace qiao::history {
namespace {

// One character with its bytes; U+FFFD for a byte that is not UTF-8.
struct Character {
  char32_t value = 0xFFFD;
  std::string_view bytes;
};

// Of the sequence that `lead` begins; 0: none does.
std::size_t size_of(std::uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

Character take_character(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  const std::size_t size = size_of(lead);
  Character character;
  bool good = size > 0 && size <= text.size();
  char32_t value = size == 1 ? lead : lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; good && i < size; ++i) {
    good = (byte(i) & 0xC0) == 0x80;
    value = value << 6 | (byte(i) & 0x3F);
  }
  constexpr std::array<char32_t, 5> kFirstOfSize = {0, 0, 0x80, 0x800, 0x10000};
  good = good && value >= kFirstOfSize[size] && value <= 0x10FFFF &&
         (value < 0xD800 || value > 0xDFFF);
  character.bytes = text.substr(0, good ? size : 1);
  if (good) character.value = value;
  text.remove_prefix(character.bytes.size());
  return character;
}

struct Range {
  char32_t first;
  char32_t last;
};

// Written without spaces between words: ideographs, kana.
constexpr std::array<Range, 6> kUnspaced = {{{0x3005, 0x3007},
                                             {0x3040, 0x30FF},
                                             {0x3400, 0x4DBF},
                                             {0x4E00, 0x9FFF},
                                             {0xF900, 0xFAFF},
                                             {0x20000, 0x323AF}}};

// Punctuation, symbols and pictures past ASCII; everything else there counts as a letter.
constexpr std::array<Range, 11> kSeparators = {{{0x80, 0xA9},
                                                {0xAB, 0xB4},
                                                {0xB6, 0xB9},
                                                {0xBB, 0xBF},
                                                {0xD7, 0xD7},
                                                {0xF7, 0xF7},
                                                {0x2000, 0x2BFF},
                                                {0x3000, 0x303F},
                                                {0xE000, 0xF8FF},
                                                {0xFE00, 0xFF65},
                                                {0xFFE0, 0xFFFF}}};

template <std::size_t kSize>
bool in(const std::array<Range, kSize>& ranges, char32_t value) {
  return std::any_of(ranges.begin(), ranges.end(), [value](const Range& range) {
    return value >= range.first && value <= range.last;
  });
}

bool is_unspaced(char32_t value) {
  return in(kUnspaced, value);
}

bool is_letter(char32_t value) {
  if (value < 0x80)
    return (value >= '0' && value <= '9') || (value >= 'a' && value <= 'z') ||
           (value >= 'A' && value <= 'Z');
  return !in(kSeparators, value) && !(value >= 0x1F000 && value <= 0x1FAFF);
}

// "Ａ" → "A".
Character narrowed(const Character& character, char& storage) {
  if (character.value < 0xFF01 || character.value > 0xFF5E) return character;
  storage = static_cast<char>(character.value - 0xFEE0);
  return {static_cast<char32_t>(storage), std::string_view(&storage, 1)};
}

// Collects words of one stretch of text.
class WordMaker {
 public:
  void add(const Character& character) {
    if (is_unspaced(character.value)) {
      end_word();
      run_.push_back(character.bytes);
    } else if (is_letter(character.value)) {
      end_run();
      word_.append(character.bytes);
    } else {
      end_word();
      end_run();
    }
  }
  // Ends the stretch. `open_end`: what follows is not known, so a last run must not say that it
  // ends here; true is returned when that left a lone character, which is a beginning only.
  bool finish(bool open_end) {
    end_word();
    const bool beginning = open_end && run_.size() == 1;
    if (open_end && run_.size() > 1) {
      add_pairs();
      run_.clear();
    }
    end_run();
    return beginning;
  }
  std::vector<std::string> words;

 private:
  void end_word() {
    if (!word_.empty()) words.push_back(std::move(word_));
    word_.clear();
  }
  void add_pairs() {
    for (std::size_t i = 0; i + 1 < run_.size(); ++i)
      words.push_back(std::string(run_[i]).append(run_[i + 1]));
  }
  void end_run() {
    add_pairs();
    if (!run_.empty()) words.emplace_back(run_.back());
    run_.clear();
  }

  std::string word_;
  std::vector<std::string_view> run_;
};

void add_text(WordMaker& maker, std::string_view text) {
  char storage = 0;
  while (!text.empty()) maker.add(narrowed(take_character(text), storage));
}

// In a query "ORD-7" is one thing and "退款，订单" is two.
bool separates_pieces(const Character& character) {
  if (character.value < 0x80) return character.value <= ' ';
  const bool wide = character.value >= 0xFF01 && character.value <= 0xFF5E;
  char storage = 0;
  return !is_unspaced(character.value) &&
         !is_letter(wide ? narrowed(character, storage).value : character.value);
}

// The pieces that a query asks for: quoted stretches, and what is separated outside of them.
std::vector<std::string_view> pieces_of(std::string_view query) {
  std::vector<std::string_view> pieces;
  bool quoted = false;
  const char* begin = query.data();
  while (!query.empty()) {
    const Character character = take_character(query);
    const bool quote = character.value == '"';
    if (!quote && (quoted || !separates_pieces(character))) continue;
    pieces.emplace_back(begin, static_cast<std::size_t>(character.bytes.data() - begin));
    begin = character.bytes.data() + character.bytes.size();
    quoted = quoted != quote;
  }
  pieces.emplace_back(begin, static_cast<std::size_t>(query.data() - begin));
  return pieces;
}

}  // namespace

std::string index_words(std::string_view text) {
  WordMaker maker;
  add_text(maker, text.substr(0, kIndexedBytesMax));
  maker.finish(false);
  return join(maker.words, " ");
}

std::string match_expression(std::string_view query) {
  std::string expression;
  std::size_t terms = 0;
  for (const std::string_view piece : pieces_of(query.substr(0, kQueryBytesMax))) {
    WordMaker maker;
    add_text(maker, piece);
    const bool beginning = maker.finish(true);
    terms += maker.words.size();
    if (terms > kQueryTermsMax) break;
    if (maker.words.empty()) continue;
    // Words hold letters only, so nothing in them could end the quotes.
    if (!expression.empty()) expression += " AND ";
    expression.append("\"").append(join(maker.words, " ")).append(beginning ? "\" *" : "\"");
  }
  return expression;
}

}  // namespace qiao::history
