// SPDX-License-Identifier: Apache-2.0
#include "learn/data/masked_text.h"

#include <algorithm>
#include <utility>

#include "text/word_starts.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kLineTokensMax = 1 << 20;

void read_line(std::string_view line, const model::WordPiece& tokenizer, bool chinese_words,
               PieceText& into) {
  const model::Encoded encoded = tokenizer.encode(line, kLineTokensMax);
  if (encoded.ids.size() <= 2) return;  // [CLS] [SEP]
  const std::vector<bool> starts = chinese_words ? word_starts(line) : std::vector<bool>();
  for (std::size_t i = 1; i < encoded.ids.size(); ++i) {
    const auto id = static_cast<std::size_t>(encoded.ids[i]);
    const std::int32_t at = encoded.ranges[i].begin;
    const bool inside = tokenizer.pieces()[id].starts_with("##") ||
                        (chinese_words && at >= 0 && static_cast<std::size_t>(at) < starts.size() &&
                         !starts[static_cast<std::size_t>(at)]);
    into.ids.push_back(encoded.ids[i]);
    into.begins.push_back(!inside);
  }
}

// The words of a row, [begin, end) among its pieces; those that are control tokens are none.
std::vector<std::pair<std::int64_t, std::int64_t>> words_of(const PieceText& text,
                                                            std::size_t first, std::int64_t pieces,
                                                            const MaskTokens& known,
                                                            bool whole_words) {
  std::vector<std::pair<std::int64_t, std::int64_t>> words;
  bool joins = false;
  for (std::int64_t i = 0; i < pieces; ++i) {
    const std::size_t at = first + static_cast<std::size_t>(i);
    const bool ordinary = known.ordinary[static_cast<std::size_t>(text.ids[at])];
    if (ordinary && joins && whole_words && !text.begins[at]) {
      words.back().second = i + 1;
    } else if (ordinary) {
      words.emplace_back(i, i + 1);
    }
    joins = ordinary;
  }
  return words;
}

}  // namespace

Result<MaskTokens> mask_tokens(const model::WordPiece& tokenizer) {
  const auto& pieces = tokenizer.pieces();
  MaskTokens known{-1, -1, -1, static_cast<std::int64_t>(pieces.size()), {}};
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

PieceText read_pieces(std::string_view text, const model::WordPiece& tokenizer,
                      bool chinese_words) {
  PieceText out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    read_line(text.substr(0, end), tokenizer, chinese_words, out);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

MaskedRows masked_rows(const PieceText& text, const std::vector<std::size_t>& firsts,
                       std::int64_t tokens, const MaskTokens& known, const MaskRules& rules,
                       Rng& rng) {
  const auto rows = static_cast<std::int64_t>(firsts.size());
  const std::int64_t pieces = tokens - 2;
  MaskedRows out{torch::empty({rows, tokens}, torch::kLong), {}, {}};
  std::int64_t* row = out.ids.data_ptr<std::int64_t>();
  std::vector<std::int64_t> places;
  std::vector<std::int64_t> targets;
  for (std::int64_t r = 0; r < rows; ++r, row += tokens) {
    const std::size_t first = firsts[static_cast<std::size_t>(r)];
    row[0] = known.cls;
    std::copy_n(text.ids.begin() + static_cast<std::ptrdiff_t>(first), pieces, row + 1);
    row[tokens - 1] = known.separator;
    auto words = words_of(text, first, pieces, known, rules.whole_words);
    for (std::size_t i = words.size(); i > 1; --i) std::swap(words[i - 1], words[rng.below(i)]);
    const auto wanted = std::max<std::int64_t>(
        1, static_cast<std::int64_t>(rules.share * static_cast<double>(pieces) + 0.5));
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
      const auto other =
          static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(known.vocabulary)));
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
