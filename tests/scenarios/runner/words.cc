// SPDX-License-Identifier: Apache-2.0
#include "scenarios/runner/words.h"

#include <charconv>

namespace qiao::scenario {
namespace {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::int64_t unit_ms(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit == "s") return 1'000;
  if (unit == "m") return 60'000;
  if (unit == "h") return 3'600'000;
  return 0;
}

// The text up to the closing quote, which is taken off `rest` too.
Result<std::string> take_quoted(std::string_view& rest) {
  std::string text;
  for (rest.remove_prefix(1); !rest.empty(); rest.remove_prefix(1)) {
    if (rest.front() == '"') {
      rest.remove_prefix(1);
      return text;
    }
    if (rest.front() == '\\' && rest.size() > 1) {
      rest.remove_prefix(1);
      text += rest.front() == 'n' ? '\n' : rest.front();
    } else {
      text += rest.front();
    }
  }
  return invalid_argument("a text has no closing quote");
}

}  // namespace

Result<Words> Words::split(std::string_view line) {
  Words words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (line.empty() || line.front() == '#') return words;
    if (line.front() == '"') {
      QIAO_ASSIGN(std::string text, take_quoted(line));
      words.words_.push_back({std::move(text), true});
    } else {
      const std::size_t end = std::min(line.find_first_of(" \t\r\""), line.size());
      words.words_.push_back({std::string(line.substr(0, end)), false});
      line.remove_prefix(end);
    }
  }
}

const Words::Word* Words::next(bool quoted) {
  if (fault_ || empty() || words_[at_].quoted != quoted) return nullptr;
  return &words_[at_++];
}

bool Words::take_if(std::string_view word) {
  if (empty() || words_[at_].quoted || words_[at_].text != word) return false;
  ++at_;
  return true;
}

std::string Words::word(std::string_view what) {
  if (const Word* found = next(false)) return found->text;
  fail("here stands " + std::string(what));
  return {};
}

std::string Words::text() {
  if (const Word* found = next(true)) return found->text;
  fail("here stands a text in quotes");
  return {};
}

std::optional<std::string> Words::text_if() {
  if (const Word* found = next(true)) return found->text;
  return std::nullopt;
}

std::uint64_t Words::number(std::string_view what) {
  const std::string digits = word(what);
  const std::optional<std::uint64_t> value = parse_number(digits);
  if (!value) fail("'" + digits + "' is no number");
  return value.value_or(0);
}

std::int64_t Words::duration_ms() {
  const std::string text = word("a time such as 500ms, 5s, 2m, 1h");
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::optional<std::uint64_t> value = parse_number(std::string_view(text).substr(0, digits));
  const std::int64_t unit = unit_ms(std::string_view(text).substr(digits));
  if (!value || unit == 0 || *value > 1'000'000'000) {
    fail("'" + text + "' is no time such as 500ms, 5s, 2m, 1h");
    return 0;
  }
  return static_cast<std::int64_t>(*value) * unit;
}

void Words::fail(std::string fault) {
  if (!fault_) fault_ = std::move(fault);
}

Status Words::finish() {
  if (!fault_ && !empty()) fault_ = "'" + words_[at_].text + "' has no meaning here";
  if (fault_) return invalid_argument(*fault_);
  return {};
}

}  // namespace qiao::scenario
