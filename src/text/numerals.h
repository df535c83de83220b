// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace qiao::text {

// The value of a number written in Chinese (三百二十, 两万, 一千零五, 二〇二六) or in digits with
// separators and a Chinese unit (1,299.50, 3.5万). Nothing when it is none of these or is past
// 10^15.
std::optional<double> parse_number(std::string_view text);

// With two decimals, without rounding surprises: "1299.50".
std::string money(double value);

}  // namespace qiao::text
