// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace qiao::learn {

// For the text and the attributes of HTML and SVG.
std::string escape(std::string_view text);
// `form` as printf() takes it, for one double.
std::string short_number(double value, const char* form = "%.4g");

// A figure or name for people, not escaped: four digits of a fraction, else as JSON says it.
std::string figure_text(const Json& value);

// The opening tag of a picture of so many pixels.
std::string svg_begin(double width, double height);
// `anchor`: start, middle or end; `more`: further attributes, with a blank before each.
std::string svg_text(double x, double y, const char* anchor, const std::string& escaped,
                     const std::string& more = "");

}  // namespace qiao::learn
