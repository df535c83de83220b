// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/svg.h"

#include <cstdio>

namespace qiao::learn {

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string short_number(double value, const char* form) {
  char text[48];
  std::snprintf(text, sizeof text, form, value);
  return text;
}

std::string figure_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_number_float() ? short_number(value.get<double>(), "%.4f") : dump_json(value);
}

std::string svg_begin(double width, double height) {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + short_number(width) +
         "\" height=\"" + short_number(height) + "\" viewBox=\"0 0 " + short_number(width) + " " +
         short_number(height) + "\" font-family=\"sans-serif\" font-size=\"11\">\n";
}

std::string svg_text(double x, double y, const char* anchor, const std::string& escaped,
                     const std::string& more) {
  return "<text x=\"" + short_number(x) + "\" y=\"" + short_number(y) + "\" text-anchor=\"" +
         anchor + "\"" + more + ">" + escaped + "</text>\n";
}

}  // namespace qiao::learn
