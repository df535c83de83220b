// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace qiao::net {

// A request target taken apart (RFC 9112, section 3.2).
struct Target {
  std::string path;                          // decoded, UTF-8 without control characters
  std::map<std::string, std::string> query;  // decoded; the last of equal names counts
};

// Takes the origin form "/path?query", the absolute form "http://host/path" and "*".
// invalid_argument: another form, a broken %XX, bytes that are not UTF-8, a control character in
// the path. Any input is allowed.
Result<Target> parse_target(std::string_view target);

enum class Plus { kKept, kSpace };  // "+" stands for a space in queries, for itself in paths

Result<std::string> percent_decode(std::string_view text, Plus plus);

}  // namespace qiao::net
