// SPDX-License-Identifier: Apache-2.0
#include "message/subject.h"

#include <algorithm>

#include "message/message.h"

namespace qiao {
namespace {

// Takes the first token off `rest`; `rest` is empty after the last.
std::string_view next_token(std::string_view& rest) {
  const std::size_t dot = rest.find('.');
  const std::string_view token = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  return token;
}

Error fault(std::string_view text, std::string_view why) {
  std::string message = "subject '";
  message.append(text.substr(0, 80)).append("': ").append(why);
  return invalid_argument(std::move(message));
}

bool bad_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= 0x20 || byte == 0x7f;
}

Status check(std::string_view text, bool wildcards) {
  if (text.empty()) return fault(text, "is empty");
  if (text.size() > kSubjectBytesMax) return fault(text, "is longer than 255 bytes");
  if (std::any_of(text.begin(), text.end(), bad_character))
    return fault(text, "has a space or control character");
  if (!valid_utf8(text)) return invalid_argument("subject is not UTF-8");
  if (text.back() == '.') return fault(text, "ends with a dot");
  std::size_t tokens = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view token = next_token(rest);
    if (++tokens > kSubjectTokensMax) return fault(text, "has more than 16 tokens");
    if (token.empty()) return fault(text, "has an empty token (two dots or a leading one)");
    if (token.find_first_of("*>") == std::string_view::npos) continue;
    if (!wildcards) return fault(text, "a wildcard is only allowed in patterns");
    if (token.size() != 1) return fault(text, "a wildcard must be a whole token");
    if (token == ">" && !rest.empty()) return fault(text, "'>' must be the last token");
  }
  return {};
}

}  // namespace

Status validate_subject(std::string_view subject) {
  return check(subject, false);
}
Status validate_pattern(std::string_view pattern) {
  return check(pattern, true);
}
bool is_pattern(std::string_view text) {
  return text.find_first_of("*>") != std::string_view::npos;
}

bool matches(std::string_view pattern, std::string_view subject) {
  while (!pattern.empty() && !subject.empty()) {
    const std::string_view want = next_token(pattern);
    if (want == ">") return true;
    const std::string_view have = next_token(subject);
    if (want != "*" && want != have) return false;
  }
  return pattern.empty() && subject.empty();
}

}  // namespace qiao
