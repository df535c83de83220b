// SPDX-License-Identifier: Apache-2.0
#include "learn/corpus/corpus_rules.h"

#include <algorithm>
#include <array>
#include <utility>

#include "text/language.h"
#include "text/pii.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kMendedShare = 10;  // one replaced character of so many is too much

// The beginning of `text` that is a text of its own: behind a line, or between characters.
std::size_t piece_size(std::string_view text) {
  if (text.size() <= kPlainTextBytesMax) return text.size();
  const std::size_t line = text.rfind('\n', kPlainTextBytesMax - 1);
  if (line != std::string_view::npos && line > 0) return line + 1;
  std::size_t size = kPlainTextBytesMax;
  while (size > 1 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  return size;
}

void mask_personal(Judged& judged) {
  const std::vector<Span> found = find_pii(judged.text);
  judged.masked = found.size();
  if (found.empty()) return;
  std::string out;
  std::size_t at = 0;
  for (const Span& span : found) {
    out.append(judged.text, at, span.begin - at).append("<").append(span.kind).append(">");
    at = span.end;
  }
  judged.text = out.append(judged.text, at);
  judged.characters =
      static_cast<std::size_t>(std::count_if(judged.text.begin(), judged.text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
      }));
}

std::optional<Drop> drop_of(const CorpusRules& rules, const CleanText& clean,
                            std::int64_t characters) {
  if (clean.text.empty()) return Drop::kEmpty;
  if (clean.replaced * kMendedShare > clean.characters) return Drop::kEncoding;
  if (characters < rules.characters_min) return Drop::kShort;
  if (rules.language && detect_language(clean.text) != rules.language) return Drop::kLanguage;
  return std::nullopt;
}

Judged judge(std::string_view text, const CorpusRules& rules) {
  CleanText clean = clean_text(text, rules.clean);
  Judged judged;
  judged.characters = clean.characters;
  judged.mended = clean.replaced > 0;
  judged.drop = drop_of(rules, clean, static_cast<std::int64_t>(clean.characters));
  judged.text = std::move(clean.text);
  if (judged.drop) return judged;
  if (rules.personal != PersonalRule::kKeep) mask_personal(judged);
  if (judged.masked > 0 && rules.personal == PersonalRule::kDrop) {
    judged.drop = Drop::kPersonal;
    return judged;
  }
  judged.hash = text_hash(judged.text);
  if (rules.near > 0) judged.places = min_hash(judged.text);
  return judged;
}

}  // namespace

std::string_view name_of(Drop drop) {
  constexpr std::array<std::string_view, kDrops> kNames = {
      "unreadable", "empty",         "short",     "encoding",
      "language",   "personal_data", "duplicate", "near_duplicate"};
  return kNames[static_cast<std::size_t>(drop)];
}

Text sentence_of(Drop drop) {
  constexpr std::array<Text, kDrops> kSentences = {
      Text::kLearnDropUnreadable, Text::kLearnDropEmpty,        Text::kLearnDropShort,
      Text::kLearnDropEncoding,   Text::kLearnDropLanguage,     Text::kLearnDropPersonal,
      Text::kLearnDropDuplicate,  Text::kLearnDropNearDuplicate};
  return kSentences[static_cast<std::size_t>(drop)];
}

Result<PersonalRule> parse_personal_rule(std::string_view name) {
  if (name == "mask") return PersonalRule::kMask;
  if (name == "drop") return PersonalRule::kDrop;
  if (name == "keep") return PersonalRule::kKeep;
  return invalid_argument("--personal is mask, drop or keep, not \"" + std::string(name) + "\"");
}

Result<WidthRule> parse_width_rule(std::string_view name) {
  if (name == "letters") return WidthRule::kLetters;
  if (name == "all") return WidthRule::kAll;
  if (name == "keep") return WidthRule::kKeep;
  return invalid_argument("--width is letters, all or keep, not \"" + std::string(name) + "\"");
}

Json to_json(const CorpusRules& rules) {
  constexpr std::array<const char*, 3> kWidths = {"letters", "all", "keep"};
  constexpr std::array<const char*, 3> kPersonal = {"mask", "drop", "keep"};
  Json json = {{"field", rules.records.field},
               {"separator", rules.records.separator},
               {"nfkc", rules.clean.nfkc},
               {"width", kWidths[static_cast<std::size_t>(rules.clean.width)]},
               {"simplify", rules.clean.simplify},
               {"language", nullptr},
               {"personal", kPersonal[static_cast<std::size_t>(rules.personal)]},
               {"characters_min", rules.characters_min},
               {"near", rules.near}};
  if (rules.language) json["language"] = *rules.language == Language::kChinese ? "zh" : "en";
  return json;
}

std::vector<Judged> judge_block(const RecordBlock& block, TextFormat format,
                                const CorpusRules& rules) {
  std::vector<Judged> out;
  for (const RawText& raw : parse_block(block, format, rules.records)) {
    if (!raw.readable) {
      Judged unreadable;
      unreadable.line = raw.line;
      unreadable.drop = Drop::kUnreadable;
      out.push_back(std::move(unreadable));
      continue;
    }
    std::string_view rest = raw.text;
    bool cut = raw.cut;
    do {
      const std::size_t size = piece_size(rest);
      out.push_back(judge(rest.substr(0, size), rules));
      out.back().line = raw.line;
      out.back().cut = cut;
      rest.remove_prefix(size);
      cut = true;
    } while (!rest.empty());
  }
  return out;
}

}  // namespace qiao::learn
