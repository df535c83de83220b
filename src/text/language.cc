// SPDX-License-Identifier: Apache-2.0
#include "text/language.h"

#include <algorithm>
#include <string>

#include "text/utf8.h"

namespace qiao {
namespace {

// A Chinese word has about two characters.
constexpr double kHanWeight = 0.5;
// One letter alone ("a", "x") may be a variable or a size; it says little.
constexpr double kLetterWeight = 0.25;

struct Weights {
  double chinese = 0;
  double english = 0;
  double kana = 0;
  double other = 0;
};

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// Letters that stand in a code, an e-mail or a web address rather than in a word.
class Context {
 public:
  explicit Context(std::string_view text) : text_(text) {}

  [[nodiscard]] bool is_code(const Run& run) {
    if (touches_digit(run)) return true;
    if (run.begin >= token_end_) measure(run.begin);
    return address_;
  }

 private:
  [[nodiscard]] bool digit_at(std::size_t at) const {
    return at < text_.size() && text_[at] >= '0' && text_[at] <= '9';
  }
  [[nodiscard]] bool touches_digit(const Run& run) const {
    return (run.begin > 0 && digit_at(run.begin - 1)) || digit_at(run.end);
  }
  // The ASCII token that `at` lies in: an address when it has "://", "www." or '@'.
  void measure(std::size_t at) {
    token_end_ = at;
    while (token_end_ < text_.size() && !is_blank(text_[token_end_]) &&
           static_cast<unsigned char>(text_[token_end_]) < 0x80)
      ++token_end_;
    const std::string_view token = text_.substr(at, token_end_ - at);
    address_ = token.find("://") != std::string_view::npos || token.starts_with("www.") ||
               token.find('@') != std::string_view::npos;
  }

  std::string_view text_;
  std::size_t token_end_ = 0;
  bool address_ = false;
};

// Blanks markup, which is no word of the writer: tags with what stands in <script> and <style>,
// character references (&nbsp;), code between back quotes. What is opened and never closed goes
// on to the end, a lone "<" or back quote stays. Linear.
class Markup {
 public:
  // `text` in lower case, with blanks for its markup.
  static std::string removed(std::string_view text) {
    Markup markup(text);
    for (std::size_t at = 0; (at = markup.text_.find_first_of("<&`", at)) != std::string::npos;)
      at = markup.blank(at);
    return std::move(markup.text_);
  }

 private:
  explicit Markup(std::string_view text) : text_(text) {
    for (char& c : text_) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }

  [[nodiscard]] bool letter_at(std::size_t at) const {
    return at < text_.size() && text_[at] >= 'a' && text_[at] <= 'z';
  }
  [[nodiscard]] bool stands(std::size_t at, std::string_view what) const {
    return text_.compare(at, what.size(), what) == 0;
  }
  // The place behind the next `what`, or the end.
  [[nodiscard]] std::size_t behind(std::size_t at, std::string_view what) const {
    const std::size_t found = text_.find(what, at);
    return found == std::string::npos ? text_.size() : found + what.size();
  }

  // What begins at `at` is blanked; returns where to look on.
  std::size_t blank(std::size_t at) {
    const std::size_t end = std::max(end_of(at), at + 1);
    if (end > at + 1) std::fill(text_.begin() + place(at), text_.begin() + place(end), ' ');
    return end;
  }
  static std::ptrdiff_t place(std::size_t at) { return static_cast<std::ptrdiff_t>(at); }

  [[nodiscard]] std::size_t end_of(std::size_t at) const {
    if (text_[at] == '`') return end_of_code(at);
    return text_[at] == '&' ? end_of_reference(at) : end_of_tag(at);
  }
  [[nodiscard]] std::size_t end_of_code(std::size_t at) const {
    if (stands(at, "```")) return behind(at + 3, "```");
    const std::size_t end = text_.find_first_of("`\n", at + 1);
    return end != std::string::npos && text_[end] == '`' ? end + 1 : at;
  }
  [[nodiscard]] std::size_t end_of_reference(std::size_t at) const {
    std::size_t end = at + 1;
    while (letter_at(end) && end < at + kReferenceBytesMax) ++end;
    return end > at + 1 && end < text_.size() && text_[end] == ';' ? end + 1 : at;
  }
  [[nodiscard]] std::size_t end_of_tag(std::size_t at) const {
    if (stands(at, "<!--")) return behind(at + 4, "-->");
    if (stands(at, "<script")) return behind(behind(at, "</script"), ">");
    if (stands(at, "<style")) return behind(behind(at, "</style"), ">");
    const std::size_t name = at + (stands(at, "</") || stands(at, "<!") ? 2 : 1);
    if (!letter_at(name)) return at;
    const std::size_t end = text_.find_first_of("<>", name);
    return end != std::string::npos && text_[end] == '>' ? end + 1 : at;
  }

  static constexpr std::size_t kReferenceBytesMax = 10;
  std::string text_;
};

Weights weigh(std::string_view text) {
  Weights weights;
  Context context(text);
  for (const Run& run : runs_of(text)) {
    const std::size_t bytes = run.end - run.begin;
    switch (run.kind) {
      case CharClass::kHan:
        weights.chinese += kHanWeight;
        break;
      case CharClass::kLatin:
        if (!context.is_code(run)) weights.english += bytes == 1 ? kLetterWeight : 1;
        break;
      case CharClass::kKana:
        weights.kana += static_cast<double>(bytes) / 3 * kHanWeight;
        break;
      case CharClass::kOther:
        weights.other += 1;
        break;
      default:
        break;
    }
  }
  return weights;
}

}  // namespace

std::optional<Language> detect_language(std::string_view text) {
  text = text.substr(0, kLanguageBytesMax);
  Weights weights = weigh(Markup::removed(text));
  // A text of nothing but markup is judged by that.
  if (weights.chinese + weights.english + weights.kana + weights.other == 0) weights = weigh(text);
  // Japanese mixes kana and Han about evenly; a Chinese text quotes a kana word at most.
  if (weights.kana > 0.3 * weights.chinese && weights.kana >= weights.english) return std::nullopt;
  const double known = std::max(weights.chinese, weights.english);
  if (known == 0 || weights.other > known) return std::nullopt;
  return weights.chinese >= weights.english ? Language::kChinese : Language::kEnglish;
}

}  // namespace qiao
