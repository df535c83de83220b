// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "base/language.h"

namespace qiao {

// The language `text` is written in, by the share of its scripts: a Han character weighs about
// half a Latin word, so that 我的iPhone坏了 is Chinese and "what does 你好 mean" English. Numbers,
// codes (QX20240001), addresses (URLs, e-mail), tags, code between back quotes and emoji say
// nothing. Nothing: no words at all, or
// mostly another script (kana, Hangul, Cyrillic …). Every Latin script counts as English.
// Looks at the first kLanguageBytesMax bytes.
std::optional<Language> detect_language(std::string_view text);

inline constexpr std::size_t kLanguageBytesMax = 64 << 10;

}  // namespace qiao
