// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/i18n.h"
#include "base/json.h"
#include "base/language.h"
#include "learn/corpus/record_blocks.h"
#include "learn/corpus/seen_texts.h"
#include "text/clean.h"

namespace qiao::learn {

// Why a text does not come into a corpus.
enum class Drop : std::uint8_t {
  kUnreadable,  // no row of its format, or without the field
  kEmpty,       // nothing after cleaning
  kShort,
  kEncoding,  // more than a tenth of it is no UTF-8
  kLanguage,
  kPersonal,
  kDuplicate,
  kNearDuplicate,
};
inline constexpr std::size_t kDrops = 8;
std::string_view name_of(Drop drop);  // in report.json
Text sentence_of(Drop drop);          // for people

enum class PersonalRule : std::uint8_t { kMask, kDrop, kKeep };
Result<PersonalRule> parse_personal_rule(std::string_view name);  // mask, drop, keep
Result<WidthRule> parse_width_rule(std::string_view name);        // letters, all, keep

struct CorpusRules {
  RecordRules records;
  CleanRules clean;
  std::optional<Language> language;
  PersonalRule personal = PersonalRule::kMask;
  std::int64_t characters_min = 1;
  double near = 0.8;  // see SeenTexts
};
Json to_json(const CorpusRules& rules);

// A text as the corpus would have it.
struct Judged {
  std::string text;
  std::size_t line = 0;
  std::optional<Drop> drop;  // of all but the repetitions, which need the texts before
  std::size_t characters = 0;
  std::size_t masked = 0;  // places with personal data: each became <phone>, <email> …
  bool cut = false;     // not the beginning of its text, which was longer than kPlainTextBytesMax
  bool mended = false;  // had bytes that are no UTF-8
  std::uint64_t hash = 0;
  MinHash places{};
};
// Reads, cleans and judges the texts of a block. Pure, thread-safe.
std::vector<Judged> judge_block(const RecordBlock& block, TextFormat format,
                                const CorpusRules& rules);

}  // namespace qiao::learn
