// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace qiao {

inline constexpr std::size_t kClausesMax = 8;

// The clauses of a message, as views into it: cut at commas, full stops, question and exclamation
// marks, semicolons and line feeds, but not inside numbers ("35.5", "1,000"). A message of one
// clause gives that one; past `clauses_max` the last holds the rest.
std::vector<std::string_view> clauses_of(std::string_view text,
                                         std::size_t clauses_max = kClausesMax);

}  // namespace qiao
