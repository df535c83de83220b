// SPDX-License-Identifier: Apache-2.0
#include "learn/data/masked_text.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "text/utf8.h"
#include "text/word_starts.h"

namespace qiao::learn {
namespace {

constexpr std::string_view kContinues = "##";

bool is_inside(std::string_view piece) {
  return piece.size() > kContinues.size() && piece.starts_with(kContinues);
}

bool begins_with_han(std::string_view text) {
  std::size_t at = 0;
  return !text.empty() && class_of(next_code_point(text, at)) == CharClass::kHan;
}

std::size_t characters_in(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) next_code_point(text, at);
  return count;
}

// The words of a row, [begin, end) among its pieces; those that are control tokens are none.
std::vector<std::pair<std::int64_t, std::int64_t>> words_of(std::span<const std::int64_t> ids,
                                                            const MaskTokens& known,
                                                            const MaskRules& rules) {
  const std::vector<bool> begins = rules.whole_words ? word_begins(ids, known, rules.chinese_words)
                                                     : std::vector<bool>(ids.size(), true);
  std::vector<std::pair<std::int64_t, std::int64_t>> words;
  bool joins = false;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const bool ordinary = known.ordinary.at(static_cast<std::size_t>(ids[i]));
    if (ordinary && joins && !begins[i]) {
      words.back().second = at + 1;
    } else if (ordinary) {
      words.emplace_back(at, at + 1);
    }
    joins = ordinary;
  }
  return words;
}

}  // namespace

Result<MaskTokens> mask_tokens(const model::WordPiece& tokenizer) {
  const auto& pieces = tokenizer.pieces();
  MaskTokens known{-1, -1, -1, pieces, {}};
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    const std::string& piece = pieces[id];
    if (piece == "[CLS]") known.cls = static_cast<std::int64_t>(id);
    if (piece == "[SEP]") known.separator = static_cast<std::int64_t>(id);
    if (piece == "[MASK]") known.mask = static_cast<std::int64_t>(id);
    known.ordinary.push_back(!(piece.size() > 2 && piece.front() == '[' && piece.back() == ']'));
  }
  if (known.mask < 0) {
    return Error{Code::kUnsupported,
                 "the vocabulary has no [MASK]: the model cannot be trained so"};
  }
  return known;
}

// The dictionary reads the pieces as text again: with a blank between two of them, but none beside
// a Han character.
std::vector<bool> word_begins(std::span<const std::int64_t> ids, const MaskTokens& known,
                              bool chinese_words) {
  std::vector<bool> begins;
  std::vector<std::size_t> places;  // of each piece, in characters of `text`
  std::string text;
  std::size_t characters = 0;
  bool han = false;
  bool any_han = false;
  for (const std::int64_t id : ids) {
    std::string_view piece = known.pieces.at(static_cast<std::size_t>(id));
    const bool inside = is_inside(piece);
    if (inside) piece.remove_prefix(kContinues.size());
    const bool han_before = std::exchange(han, begins_with_han(piece));
    any_han = any_han || han;
    if (!inside && !han && !han_before) {
      text += ' ';
      ++characters;
    }
    begins.push_back(!inside);
    places.push_back(characters);
    text += piece;
    characters += characters_in(piece);
  }
  if (!chinese_words || !any_han) return begins;
  const std::vector<bool> starts = word_starts(text);
  for (std::size_t i = 0; i < begins.size(); ++i) begins[i] = begins[i] && starts[places[i]];
  return begins;
}

MaskedRows masked_rows(const TokenRow& text, const std::vector<std::size_t>& firsts,
                       std::int64_t tokens, const MaskTokens& known, const MaskRules& rules,
                       Rng& rng) {
  const auto rows = static_cast<std::int64_t>(firsts.size());
  const auto count = static_cast<std::size_t>(tokens - 2);
  MaskedRows out{torch::empty({rows, tokens}, torch::kLong), {}, {}};
  std::int64_t* row = out.ids.data_ptr<std::int64_t>();
  std::vector<std::int64_t> places;
  std::vector<std::int64_t> targets;
  for (std::int64_t r = 0; r < rows; ++r, row += tokens) {
    const std::size_t first = firsts[static_cast<std::size_t>(r)];
    row[0] = known.cls;
    text.copy(first, count, row + 1);
    row[tokens - 1] = known.separator;
    auto words = words_of({row + 1, count}, known, rules);
    for (std::size_t i = words.size(); i > 1; --i) std::swap(words[i - 1], words[rng.below(i)]);
    const auto wanted = std::max<std::int64_t>(
        1, static_cast<std::int64_t>(rules.share * static_cast<double>(count) + 0.5));
    std::vector<std::int64_t> hidden;
    for (const auto& [begin, end] : words) {
      if (static_cast<std::int64_t>(hidden.size()) >= wanted) break;
      for (std::int64_t i = begin; i < end; ++i) hidden.push_back(i + 1);
    }
    std::sort(hidden.begin(), hidden.end());
    for (const std::int64_t at : hidden) {
      places.push_back(r * tokens + at);
      targets.push_back(row[at]);
      const double what = rng.unit();
      const auto other = static_cast<std::int64_t>(rng.below(known.pieces.size()));
      if (what < rules.as_mask) {
        row[at] = known.mask;
      } else if (what < rules.as_mask + rules.as_chance) {
        row[at] = other;
      }
    }
  }
  out.places = torch::tensor(places, torch::kLong);
  out.targets = torch::tensor(targets, torch::kLong);
  return out;
}

}  // namespace qiao::learn
