// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace qiao {

// Each number that a text tells in digits, once, in plain form ("1299.5" of `１,299.50`); of one
// with a comma between groups of digits also the groups, since a comma may part two numbers. Digits
// that only count the lines of a list (`1. `, `2、` where a line begins) are none.
std::set<std::string> numbers_in_digits(std::string_view text);

// And those in words: Chinese numerals (七, 三百二十) and English ones to twenty and of whole tens.
std::set<std::string> numbers_in_words(std::string_view text);

// The first number of `text`, in digits, that neither form of `known` tells; "" when there is none.
std::string number_not_in(std::string_view text, const std::set<std::string>& known);

}  // namespace qiao
