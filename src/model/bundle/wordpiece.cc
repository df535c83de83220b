// SPDX-License-Identifier: Apache-2.0
#include "model/bundle/wordpiece.h"

#include <algorithm>

#include "base/json.h"
#include "model/convert/convert_vocabulary.h"
#include "text/utf8.h"

namespace qiao::model {
namespace {

constexpr std::string_view kContinues = "##";

std::u32string characters_of(std::string_view text) {
  std::u32string out;
  for (std::size_t at = 0; at < text.size();) out.push_back(next_code_point(text, at));
  return out;
}

// The control pieces, in the order BERT's own files give them.
constexpr std::string_view kSpecials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

PieceRange range_of(const BertWord& word, std::size_t begin, std::size_t length) {
  return {static_cast<std::int32_t>(word.origin[begin]),
          static_cast<std::int32_t>(word.origin[begin + length - 1]) + 1};
}

bool is_special(std::string_view piece) {
  return std::find(std::begin(kSpecials), std::end(kSpecials), piece) != std::end(kSpecials);
}

}  // namespace

Result<WordPiece> WordPiece::make(std::vector<std::string> pieces, const BertTextRules& rules) {
  WordPiece out;
  out.rules_ = rules;
  std::unordered_map<std::string_view, std::int32_t> specials;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::string& piece = pieces[i];
    const auto id = static_cast<std::int32_t>(i);
    if (is_special(piece)) specials.emplace(piece, id);
    const bool inside = piece.starts_with(kContinues) && piece.size() > kContinues.size();
    std::u32string key = characters_of(inside ? std::string_view(piece).substr(kContinues.size())
                                              : std::string_view(piece));
    out.longest_ = std::max(out.longest_, key.size());
    if (!(inside ? out.continues_ : out.starts_).emplace(std::move(key), id).second) {
      return Error{Code::kCorrupt, "the vocabulary has the piece \"" + piece + "\" twice"};
    }
  }
  const std::pair<std::string_view, std::int32_t*> needed[] = {{"[PAD]", &out.pad_},
                                                               {"[UNK]", &out.unknown_},
                                                               {"[CLS]", &out.cls_},
                                                               {"[SEP]", &out.separator_}};
  for (const auto& [name, id] : needed) {
    const auto found = specials.find(name);
    if (found == specials.end()) {
      return Error{Code::kUnsupported,
                   "the vocabulary has no piece " + std::string(name) + ": it is not BERT's"};
    }
    *id = found->second;
  }
  out.pieces_ = std::move(pieces);
  return out;
}

bool WordPiece::append_word(const BertWord& word, Encoded& out) const {
  const std::size_t size = word.text.size();
  if (size > kWordCharactersMax) return false;
  const std::size_t before = out.ids.size();
  for (std::size_t begin = 0; begin < size;) {
    const auto& table = begin == 0 ? starts_ : continues_;
    std::size_t length = std::min(size - begin, longest_);
    auto found = table.end();
    for (; length > 0; --length) {
      found = table.find(word.text.substr(begin, length));
      if (found != table.end()) break;
    }
    if (length == 0) {
      out.ids.resize(before);
      out.ranges.resize(before);
      return false;
    }
    out.ids.push_back(found->second);
    out.ranges.push_back(range_of(word, begin, length));
    begin += length;
  }
  return true;
}

void WordPiece::append_text(std::string_view text, std::size_t count, Encoded& out) const {
  const std::size_t end = out.ids.size() + count;
  for (const BertWord& word : bert_words(text, rules_)) {
    if (out.ids.size() >= end) break;
    if (append_word(word, out)) continue;
    out.ids.push_back(unknown_);
    out.ranges.push_back(range_of(word, 0, word.text.size()));
  }
  out.ids.resize(std::min(out.ids.size(), end));
  out.ranges.resize(out.ids.size());
}

void WordPiece::append_control(std::int32_t id, Encoded& out) {
  out.ids.push_back(id);
  out.ranges.emplace_back();
}

Encoded WordPiece::encode(std::string_view text, std::size_t tokens_max) const {
  Encoded out;
  append_control(cls_, out);
  append_text(text, tokens_max - 2, out);
  append_control(separator_, out);
  return out;
}

Encoded WordPiece::encode_pair(std::string_view first, std::string_view second,
                               std::size_t tokens_max) const {
  const std::size_t room = tokens_max - 3;
  Encoded out;
  append_control(cls_, out);
  append_text(first, room, out);
  Encoded other;
  append_text(second, room, other);
  const std::size_t left = room - std::min(room, other.ids.size());
  const std::size_t kept = std::min(out.ids.size() - 1, std::max((room + 1) / 2, left));
  out.ids.resize(1 + kept);
  out.ranges.resize(1 + kept);
  append_control(separator_, out);
  out.second = out.ids.size();
  const auto taken = static_cast<std::ptrdiff_t>(std::min(other.ids.size(), room - kept));
  out.ids.insert(out.ids.end(), other.ids.begin(), other.ids.begin() + taken);
  out.ranges.insert(out.ranges.end(), other.ranges.begin(), other.ranges.begin() + taken);
  append_control(separator_, out);
  return out;
}

Json added_token(std::size_t id, const std::string& piece) {
  return {{"id", id},        {"content", piece},    {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

std::string tokenizer_json(const WordPiece& tokenizer) {
  Json vocab = Json::object();
  Json added = Json::array();
  for (std::size_t id = 0; id < tokenizer.pieces().size(); ++id) {
    const std::string& piece = tokenizer.pieces()[id];
    vocab[piece] = id;
    if (!is_special(piece)) continue;
    added.push_back(added_token(id, piece));
  }
  const auto special = [&](const char* piece) {
    return Json{{"SpecialToken", {{"id", piece}, {"type_id", 0}}}};
  };
  const auto sequence = [](const char* id, int type) {
    return Json{{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  const auto entry = [&](const char* piece) {
    return Json{{"id", piece}, {"ids", {vocab[piece]}}, {"tokens", {piece}}};
  };
  const Json root = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", true},
        {"strip_accents", tokenizer.rules().strip_accents},
        {"lowercase", tokenizer.rules().lowercase}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", {special("[CLS]"), sequence("A", 0), special("[SEP]")}},
        {"pair",
         {special("[CLS]"), sequence("A", 0), special("[SEP]"), sequence("B", 1),
          special("[SEP]")}},
        {"special_tokens", {{"[CLS]", entry("[CLS]")}, {"[SEP]", entry("[SEP]")}}}}},
      {"decoder", {{"type", "WordPiece"}, {"prefix", kContinues}, {"cleanup", true}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", "[UNK]"},
        {"continuing_subword_prefix", kContinues},
        {"max_input_chars_per_word", kWordCharactersMax},
        {"vocab", vocab}}}};
  return dump_json(root);
}

Result<WordPiece> read_wordpiece(const std::string& path, int lowercase) {
  QIAO_ASSIGN(model::Vocabulary vocabulary, model::read_vocabulary(path, lowercase));
  constexpr std::string_view kWordStart = "\xe2\x96\x81";
  constexpr std::int32_t kNormal = 1;
  std::vector<std::string> pieces = std::move(vocabulary.pieces);
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    if (vocabulary.kinds[id] != kNormal) continue;
    std::string& piece = pieces[id];
    piece = piece.starts_with(kWordStart) ? piece.substr(kWordStart.size())
                                          : std::string(kContinues) + piece;
  }
  return WordPiece::make(std::move(pieces), {vocabulary.lowercase, vocabulary.strip_accents});
}

}  // namespace qiao::model
