// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "message/annotations.h"
#include "route/route.h"

namespace qiao::impl {

// What a condition is tested against.
struct Evidence {
  std::string_view text;
  const Annotations& annotations;
  double threshold = 0;  // for intents and heads when the condition names no score
  bool out_of_scope = false;
};

// Why `condition` holds ("intent=goodbye score 0.91 >= 0.62, entity order_number"), or nothing.
std::optional<std::string> why_holds(const Condition& condition, const Evidence& evidence);

// Whether any field is set.
bool is_empty(const Condition& condition);

// A comparison of a fact: ">= 2", "!= gold" or a bare value for equality.
struct Comparison {
  std::string_view sign;  // "=", "!=", ">=", ">", "<=", "<"
  std::string_view value;
};
Comparison parse_comparison(std::string_view text);
// The whole of `text` as a finite decimal number.
std::optional<double> as_number(std::string_view text);
// Whether a fact's value satisfies it. Order needs numbers on both sides; an absent fact is "".
bool satisfies(std::string_view value, const Comparison& comparison);

// Whether `word` is in `text` without regard to ASCII case; where the word begins or ends with an
// ASCII letter or digit, so must a word of the text ("hi" is not in "this").
bool has_word(std::string_view text, std::string_view word);

// "0.83", rounded down: what is below a threshold never reads as if it had reached it.
std::string score_text(double score);

}  // namespace qiao::impl
