// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/language.h"

namespace qiao {

// One sentence of a flow in both languages. A plain value.
struct Localized {
  std::string zh;
  std::string en;

  [[nodiscard]] bool empty() const { return zh.empty() && en.empty(); }
  // The text in `language`, or the other one when that is not written.
  [[nodiscard]] const std::string& in(Language language) const {
    const std::string& wanted = language == Language::kChinese ? zh : en;
    return wanted.empty() ? (language == Language::kChinese ? en : zh) : wanted;
  }
  friend bool operator==(const Localized&, const Localized&) = default;
};

}  // namespace qiao
