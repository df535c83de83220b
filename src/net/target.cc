// SPDX-License-Identifier: Apache-2.0
#include "net/target.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace qiao::net {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Length of the sequence that `first` leads, and the range of its second byte (RFC 3629,
// section 4): the narrow ranges keep overlong forms, surrogates and values past U+10FFFF out.
struct Lead {
  std::size_t length = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
};

Lead lead_of(std::uint8_t first) {
  if (first < 0x80) return {1};
  if (first >= 0xC2 && first <= 0xDF) return {2};
  if (first == 0xE0) return {3, 0xA0};
  if (first == 0xED) return {3, 0x80, 0x9F};
  if (first >= 0xE1 && first <= 0xEF) return {3};
  if (first == 0xF0) return {4, 0x90};
  if (first >= 0xF1 && first <= 0xF3) return {4};
  if (first == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

bool is_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const Lead lead = lead_of(byte(i));
    if (lead.length == 0 || text.size() - i < lead.length) return false;
    for (std::size_t k = 1; k < lead.length; ++k) {
      const std::uint8_t low = k == 1 ? lead.low : 0x80;
      const std::uint8_t high = k == 1 ? lead.high : 0xBF;
      if (byte(i + k) < low || byte(i + k) > high) return false;
    }
    i += lead.length;
  }
  return true;
}

bool is_control(char c) {
  return static_cast<std::uint8_t>(c) < 0x20 || c == 0x7F;
}

// "http://host:1/a?b" → "/a?b"; a target of another form comes back as it is.
std::string_view without_authority(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos || target.starts_with('/')) return target;
  const std::size_t path = target.find_first_of("/?", scheme + 3);
  return path == std::string_view::npos ? std::string_view("/") : target.substr(path);
}

Result<std::map<std::string, std::string>> parse_query(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    QIAO_ASSIGN(std::string name, percent_decode(pair.substr(0, equals), Plus::kSpace));
    QIAO_ASSIGN(std::string value,
                percent_decode(pair.substr(std::min(equals + 1, pair.size())), Plus::kSpace));
    query.insert_or_assign(std::move(name), std::move(value));
  }
  return query;
}

}  // namespace

Result<std::string> percent_decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::kSpace) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return invalid_argument("the address has a % that two hexadecimal digits do not follow");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  if (!is_utf8(out)) return invalid_argument("the address is not UTF-8 once its %XX are decoded");
  return out;
}

Result<Target> parse_target(std::string_view target) {
  target = without_authority(target);
  const std::size_t mark = std::min(target.find('?'), target.size());
  Target parsed;
  QIAO_ASSIGN(parsed.path, percent_decode(target.substr(0, mark), Plus::kKept));
  if (mark == 0 && !target.empty()) parsed.path = "/";  // "http://host?query"
  if (parsed.path != "*" && !parsed.path.starts_with('/'))
    return invalid_argument("the request's address must begin with /");
  if (std::any_of(parsed.path.begin(), parsed.path.end(), is_control))
    return invalid_argument("the path has a control character");
  QIAO_ASSIGN(parsed.query, parse_query(target.substr(std::min(mark + 1, target.size()))));
  return parsed;
}

}  // namespace qiao::net
