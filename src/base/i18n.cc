// SPDX-License-Identifier: Apache-2.0
#include "base/i18n.h"

#include <cstdlib>

namespace qiao {
namespace {

struct Row {
  std::string_view english;
  std::string_view chinese;
};

constexpr Row kRows[] = {
#define QIAO_TEXT(id, en, zh) {en, zh},
#include "base/messages.inc"
#undef QIAO_TEXT
};

}  // namespace

std::string tr(Language language, Text text, std::initializer_list<std::string_view> args) {
  const Row& row = kRows[static_cast<std::size_t>(text)];
  const std::string_view sentence = language == Language::kChinese ? row.chinese : row.english;
  std::string out;
  for (std::size_t i = 0; i < sentence.size(); ++i) {
    const bool place = sentence[i] == '{' && i + 2 < sentence.size() && sentence[i + 2] == '}' &&
                       sentence[i + 1] >= '0' && sentence[i + 1] <= '9';
    if (!place) {
      out += sentence[i];
      continue;
    }
    const auto index = static_cast<std::size_t>(sentence[i + 1] - '0');
    if (index < args.size()) out += args.begin()[index];
    i += 2;
  }
  return out;
}

Language environment_language() {
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    return std::string_view(value).starts_with("zh") ? Language::kChinese : Language::kEnglish;
  }
  return Language::kEnglish;
}

}  // namespace qiao
