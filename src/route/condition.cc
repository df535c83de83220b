// SPDX-License-Identifier: Apache-2.0
#include "route/condition.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace qiao::impl {
namespace {

constexpr double kRounding = 1e-6;  // 0.29 * 100 is 28.999…

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_word_byte(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string at_least(std::string_view what, std::string_view label, double score, double least) {
  std::string out(what);
  out.append("=").append(label).append(" score ").append(score_text(score));
  return out.append(" >= ").append(score_text(least));
}

// Collects the reasons; one field that does not hold ends it.
class Why {
 public:
  void test(bool holds, const std::string& reason) {
    holds_ = holds_ && holds;
    if (holds_) reason_.append(reason_.empty() ? "" : ", ").append(reason);
  }
  [[nodiscard]] std::optional<std::string> result() && {
    return holds_ && !reason_.empty() ? std::optional(std::move(reason_)) : std::nullopt;
  }

 private:
  bool holds_ = true;
  std::string reason_;
};

void test_understanding(const Condition& condition, const Evidence& evidence, Why& why) {
  const Annotations& known = evidence.annotations;
  if (condition.intent) {
    const double least = condition.score_min > 0 ? condition.score_min : evidence.threshold;
    const auto best =
        std::max_element(known.intents.begin(), known.intents.end(),
                         [](const Scored& a, const Scored& b) { return a.score < b.score; });
    const bool found = best != known.intents.end() && best->label == *condition.intent;
    const double score = found ? best->score : 0;
    why.test(found && score >= least, at_least("intent", *condition.intent, score, least));
  }
  if (condition.sentiment) {
    why.test(
        known.sentiment == *condition.sentiment && known.sentiment_score >= condition.score_min,
        at_least("sentiment", *condition.sentiment, known.sentiment_score, condition.score_min));
  }
  for (const auto& [name, label] : condition.heads) {
    const auto head = known.heads.find(name);
    const bool judged = head != known.heads.end() && !head->second.empty();
    const bool found = judged && head->second.front().label == label;
    const double score = found ? head->second.front().score : 0;
    const double least = condition.score_min > 0 ? condition.score_min : evidence.threshold;
    why.test(found && score >= least, at_least(name, label, score, least));
  }
  if (condition.language) {
    const bool chinese = *condition.language == Language::kChinese;
    why.test(known.language == condition.language, chinese ? "language=zh" : "language=en");
  }
  if (condition.entity) {
    const auto entity = std::find_if(known.entities.begin(), known.entities.end(),
                                     [&](const Entity& e) { return e.kind == *condition.entity; });
    const bool found = entity != known.entities.end();
    why.test(found, "entity " + *condition.entity);
  }
  if (condition.out_of_scope) {
    why.test(evidence.out_of_scope == *condition.out_of_scope,
             *condition.out_of_scope ? "out of scope" : "in scope");
  }
}

}  // namespace

bool is_empty(const Condition& condition) {
  return !condition.intent && !condition.sentiment && !condition.language && !condition.entity &&
         condition.words.empty() && !condition.out_of_scope && condition.heads.empty() &&
         condition.facts.empty();
}

std::optional<std::string> why_holds(const Condition& condition, const Evidence& evidence) {
  Why why;
  test_understanding(condition, evidence, why);
  if (!condition.words.empty()) {
    const auto word =
        std::find_if(condition.words.begin(), condition.words.end(),
                     [&](const std::string& w) { return has_word(evidence.text, w); });
    const bool found = word != condition.words.end();
    why.test(found, "word " + (found ? *word : std::string()));
  }
  for (const auto& [name, wanted] : condition.facts) {
    const auto fact = evidence.annotations.facts.find(name);
    const std::string value = fact == evidence.annotations.facts.end() ? "" : fact->second;
    const Comparison comparison = parse_comparison(wanted);
    std::string reason = name;
    reason.append(" ").append(value).append(" ").append(comparison.sign);
    why.test(satisfies(value, comparison), reason.append(" ").append(comparison.value));
  }
  return std::move(why).result();
}

Comparison parse_comparison(std::string_view text) {
  text = trimmed(text);
  for (const std::string_view sign : {">=", "<=", "!=", "==", ">", "<", "="}) {
    if (text.starts_with(sign))
      return {sign == "==" ? "=" : sign, trimmed(text.substr(sign.size()))};
  }
  return {"=", text};
}

std::optional<double> as_number(std::string_view text) {
  text = trimmed(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

bool satisfies(std::string_view value, const Comparison& comparison) {
  const auto left = as_number(value);
  const auto right = as_number(comparison.value);
  const bool numbers = left && right;
  const bool equal = numbers ? *left == *right : trimmed(value) == comparison.value;
  if (comparison.sign == "=") return equal;
  if (comparison.sign == "!=") return !equal;
  if (!numbers) return false;
  if (comparison.sign == ">=") return *left >= *right;
  if (comparison.sign == "<=") return *left <= *right;
  return comparison.sign == ">" ? *left > *right : *left < *right;
}

bool has_word(std::string_view text, std::string_view word) {
  if (word.empty()) return false;
  const auto same = [](char a, char b) { return lower(a) == lower(b); };
  auto from = text.begin();
  while (true) {
    const auto at = std::search(from, text.end(), word.begin(), word.end(), same);
    if (at == text.end()) return false;
    const auto after = at + static_cast<std::ptrdiff_t>(word.size());
    const bool begins =
        at == text.begin() || !is_word_byte(word.front()) || !is_word_byte(*(at - 1));
    const bool ends = after == text.end() || !is_word_byte(word.back()) || !is_word_byte(*after);
    if (begins && ends) return true;
    from = at + 1;
  }
}

std::string score_text(double score) {
  std::array<char, 32> buffer{};
  const int size = std::snprintf(buffer.data(), buffer.size(), "%.2f",
                                 std::floor(score * 100 + kRounding) / 100);
  return {buffer.data(), static_cast<std::size_t>(std::max(size, 0))};
}

}  // namespace qiao::impl
