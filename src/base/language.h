// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace qiao {

// The languages that Qiao speaks to people.
enum class Language { kEnglish, kChinese };

// From LC_ALL, LC_MESSAGES, LANG: Chinese when it begins with zh, else English.
Language environment_language();

}  // namespace qiao
