// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace qiao {

// Subjects are tokens joined by dots, as in NATS: "support.in". In a pattern `*` stands for one
// token and `>` for one or more at the end. Tokens are UTF-8 without spaces, controls, `*`, `>`.

inline constexpr std::size_t kSubjectBytesMax = 255;
inline constexpr std::size_t kSubjectTokensMax = 16;

Status validate_subject(std::string_view subject);
Status validate_pattern(std::string_view pattern);
bool is_pattern(std::string_view text);  // has a wildcard

// Requires: both valid.
bool matches(std::string_view pattern, std::string_view subject);

}  // namespace qiao
