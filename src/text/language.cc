// SPDX-License-Identifier: Apache-2.0
#include "text/language.h"

#include <algorithm>

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
  const Weights weights = weigh(text.substr(0, kLanguageBytesMax));
  // Japanese mixes kana and Han about evenly; a Chinese text quotes a kana word at most.
  if (weights.kana > 0.3 * weights.chinese && weights.kana >= weights.english) return std::nullopt;
  const double known = std::max(weights.chinese, weights.english);
  if (known == 0 || weights.other > known) return std::nullopt;
  return weights.chinese >= weights.english ? Language::kChinese : Language::kEnglish;
}

}  // namespace qiao
