// SPDX-License-Identifier: Apache-2.0
#include "understand/completeness.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "text/bert_words.h"
#include "text/language.h"
#include "text/utf8.h"
#include "understand/builtin_heads.h"
#include "understand/message_judge.h"

namespace qiao {
namespace {

enum class Mark { kNone, kClosing, kOpen };

constexpr std::u32string_view kClosingMarks = U".!?。！？~～)）”»";
// A comma, a dash, an opening bracket or three dots: more is to come.
constexpr std::u32string_view kOpenMarks = U",，、;；:：-—…(（“«/+";

// Words that nothing ends with; of Chinese also pairs.
const std::set<std::string, std::less<>>& connectives() {
  static const std::set<std::string, std::less<>> kWords = {
      "and",   "but",  "or",   "so",   "because", "if",    "when",  "while",  "then", "than",
      "the",   "a",    "an",   "to",   "of",      "in",    "on",    "for",    "with", "at",
      "from",  "by",   "my",   "your", "his",     "her",   "our",   "their",  "is",   "are",
      "was",   "were", "am",   "i",    "im",      "we",    "they",  "he",     "she",  "that",
      "which", "who",  "also", "be",   "can",     "could", "would", "should", "will", "want",
      "need",  "have", "not",  "as",   "about",   "和",    "与",    "跟",     "把",   "被",
      "给",    "从",   "向",   "往",   "对",      "在",    "是",    "想",     "要",   "找",
      "或",    "及",   "但",   "而",   "因",      "若",    "再",    "还",     "我",   "这",
      "那",    "很",   "最",   "比",   "每",      "的",    "到",    "为",     "因为", "所以",
      "但是",  "可是", "不过", "如果", "要是",    "然后",  "还有",  "而且",   "或者", "就是",
      "那个",  "这个", "另外", "比如", "以及",    "关于",  "一家",  "一个",   "我想", "我要"};
  return kWords;
}

// Sentences end with these.
constexpr std::u32string_view kFinalParticles = U"吗呢吧了啊呀么嘛啦哦哈谢";

struct Ending {
  Mark mark = Mark::kNone;
  std::vector<std::string> words;  // the last three, newest first, without marks
  std::size_t count = 0;           // of all words
  std::size_t commas = 0;          // inside
};

bool is_mark(const BertWord& word) {
  if (word.text.size() != 1) return false;
  const char32_t code = word.text.front();
  return kClosingMarks.find(code) != std::u32string_view::npos ||
         kOpenMarks.find(code) != std::u32string_view::npos || code == U'\'' || code == U'"';
}

Ending ending_of(std::string_view text) {
  std::vector<BertWord> words = bert_words(text, {});
  Ending ending;
  std::size_t dots = 0;
  while (!words.empty() && is_mark(words.back())) {
    const char32_t code = words.back().text.front();
    dots += code == U'.' ? 1 : 0;
    if (ending.mark == Mark::kNone && kClosingMarks.find(code) != std::u32string_view::npos)
      ending.mark = Mark::kClosing;
    if (ending.mark == Mark::kNone && kOpenMarks.find(code) != std::u32string_view::npos)
      ending.mark = Mark::kOpen;
    words.pop_back();
  }
  if (dots >= 2) ending.mark = Mark::kOpen;
  ending.count = words.size();
  for (const BertWord& word : words) ending.commas += is_mark(word) ? 1 : 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(words.size(), 3); ++i) {
    std::string utf8;
    for (const char32_t code : words[words.size() - 1 - i].text) append_utf8(utf8, code);
    ending.words.push_back(std::move(utf8));
  }
  return ending;
}

bool ends_with_connective(const Ending& ending) {
  if (ending.words.empty()) return false;
  if (connectives().contains(ending.words[0])) return true;
  return ending.words.size() > 1 && connectives().contains(ending.words[1] + ending.words[0]);
}

bool ends_with_particle(const Ending& ending) {
  if (ending.words.empty()) return false;
  std::size_t at = 0;
  const char32_t code = next_code_point(ending.words[0], at);
  return kFinalParticles.find(code) != std::u32string_view::npos;
}

// FNV-1a: the same on every machine, as it is part of what was trained.
std::size_t bucket_of(std::string_view text) {
  std::uint64_t hash = 14'695'981'039'346'656'037ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  }
  return static_cast<std::size_t>((hash ^ (hash >> 32U)) % kEndingBuckets);
}

// The end decides: a long text is cut in front, at a character.
std::string_view tail_of(std::string_view text) {
  if (text.size() <= Completeness::kTextBytesMax) return text;
  text.remove_prefix(text.size() - Completeness::kTextBytesMax);
  while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xC0U) == 0x80U)
    text.remove_prefix(1);
  return text;
}

}  // namespace

std::vector<float> glance(std::string_view text) {
  const Ending ending = ending_of(tail_of(text));
  std::vector<float> out(kGlanceSize, 0);
  out[0] = ending.mark == Mark::kClosing ? 1 : 0;
  out[1] = ending.mark == Mark::kOpen ? 1 : 0;
  out[2] = ends_with_connective(ending) ? 1 : 0;
  out[3] = ends_with_particle(ending) ? 1 : 0;
  out[4] = static_cast<float>(std::log1p(static_cast<double>(ending.count)) / 4);
  out[5] = static_cast<float>(std::min<std::size_t>(ending.commas, 4)) / 4;
  std::string words;
  for (std::size_t i = 0; i < ending.words.size(); ++i) {
    words = ending.words[i] + (words.empty() ? "" : " ") + words;
    out[6 + i * kEndingBuckets + bucket_of(words)] = 1;
  }
  return out;
}

std::vector<float> completeness_input(const std::vector<float>& vector, std::string_view text) {
  std::vector<float> input = vector;
  const std::vector<float> seen = glance(text);
  input.insert(input.end(), seen.begin(), seen.end());
  return input;
}

double complete_by_rules(std::string_view text) {
  const Ending ending = ending_of(tail_of(text));
  if (ending.words.empty()) return 0.5;  // an emoji, marks alone
  if (ending.mark == Mark::kOpen) return 0.1;
  if (ending.mark == Mark::kClosing) return 0.9;
  if (ends_with_connective(ending)) return 0.1;
  return ends_with_particle(ending) ? 0.9 : 0.6;
}

Result<LinearHead> Completeness::builtin(Language language) {
  return LinearHead::parse(
      language == Language::kChinese ? kCompletenessZhJson : kCompletenessEnJson, kCompleteness);
}

std::shared_ptr<const Completeness> Completeness::make(Encoders encoders) {
  std::array<Head, 2> heads;
  for (const Language language : {Language::kEnglish, Language::kChinese}) {
    Model* const encoder = encoder_of(encoders, language);
    auto head = builtin(language);
    if (encoder == nullptr || !head || !head->fits(*encoder, kGlanceSize)) continue;
    heads[static_cast<std::size_t>(language)] = std::move(*head);
  }
  return std::shared_ptr<const Completeness>(
      new Completeness(std::move(encoders), std::move(heads)));
}

bool Completeness::has_head(Language language) const {
  return heads_[static_cast<std::size_t>(language)].has_value();
}

void Completeness::judge(std::string_view text, Done done) const {
  const std::string_view tail = tail_of(text);
  const auto language = detect_language(tail);
  if (!language || !has_head(*language)) return done(complete_by_rules(tail));
  const auto judged = [head = heads_[static_cast<std::size_t>(*language)], said = std::string(tail),
                       done = std::move(done)](Result<Embeddings> made) {
    const bool whole =
        made && made->size() == 1 && made->front().size() + kGlanceSize == head->size();
    if (!whole) return done(complete_by_rules(said));
    done(head->chances(completeness_input(made->front(), said))[1]);
  };
  encoder_of(encoders_, language)->embed({std::string(tail)}, judged);
}

}  // namespace qiao
