// SPDX-License-Identifier: Apache-2.0
#include "understand/weak_terms.h"

#include <string>
#include <unordered_set>

namespace qiao {
namespace {

constexpr double kWeakShare = 0.15;
constexpr double kAskingShare = 0.35;
constexpr double kCharacterShare = 0.5;
constexpr std::size_t kHanBytes = 3;  // of one character of the basic plane in UTF-8

// Pronouns, particles, auxiliaries, politeness.
const std::unordered_set<std::string_view>& weak_terms() {
  static const std::unordered_set<std::string_view> terms = {
      "我",    "你",   "您",    "他",     "她",   "们",    "的",     "了",   "吗",  "呢",  "吧",
      "啊",    "呀",   "嘛",    "是",     "在",   "有",    "个",     "这",   "那",  "就",  "都",
      "也",    "还",   "要",    "想",     "能",   "会",    "可",     "以",   "把",  "给",  "一",
      "下",    "帮",   "请",    "请问",   "麻烦", "the",   "a",      "an",   "i",   "you", "we",
      "it",    "he",   "she",   "they",   "my",   "your",  "our",    "its",  "me",  "us",  "is",
      "are",   "am",   "be",    "was",    "were", "been",  "do",     "does", "did", "can", "could",
      "would", "will", "shall", "should", "may",  "to",    "of",     "for",  "in",  "on",  "at",
      "and",   "or",   "with",  "this",   "that", "there", "please", "have", "has", "had", "i'm",
      "i'd",   "it's", "let",   "some",   "any",  "just",  "so",     "if",   "as",  "by",  "want",
      "need",  "like"};
  return terms;
}

// "How do I pay" and "how do I cook" ask for different things.
bool is_asking(std::string_view term) {
  static const std::unordered_set<std::string_view> terms = {
      "how",  "what", "which", "who",  "why",  "when", "where", "what's", "where's", "多少", "什么",
      "怎么", "怎样", "如何",  "为什", "哪里", "么",   "什",    "怎",     "何",      "哪",   "少"};
  return terms.contains(term);
}

bool is_han(std::string_view term, std::size_t characters) {
  return term.size() == characters * kHanBytes && static_cast<unsigned char>(term[0]) >= 0xE3;
}

bool is_weak(std::string_view term) {
  if (weak_terms().contains(term)) return true;
  return is_han(term, 2) && weak_terms().contains(term.substr(0, kHanBytes)) &&
         weak_terms().contains(term.substr(kHanBytes));
}

}  // namespace

double share_of_term(std::string_view term) {
  if (is_weak(term)) return kWeakShare;
  if (is_asking(term)) return kAskingShare;
  return is_han(term, 1) ? kCharacterShare : 1;
}

}  // namespace qiao
