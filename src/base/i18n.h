// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/language.h"

namespace qiao {

// Every sentence the program says to people, one row each with both languages (messages.inc).
enum class Text {
#define QIAO_TEXT(id, en, zh) id,
#include "base/messages.inc"
#undef QIAO_TEXT
};

// The sentence in `language`, with {0}, {1} … replaced by `args`. Thread-safe.
std::string tr(Language language, Text text, std::initializer_list<std::string_view> args = {});

}  // namespace qiao
