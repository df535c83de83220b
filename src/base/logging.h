// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace qiao {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

// Where the program's own log goes (standard error, one line an event: time level part text).
// Message bodies and anything personal are never logged. Thread-safe.
void set_log_level(LogLevel level);
Result<LogLevel> parse_log_level(std::string_view name);
void log_event(LogLevel level, std::string_view part, std::string_view text);

inline void log_debug(std::string_view part, std::string_view text) {
  log_event(LogLevel::kDebug, part, text);
}
inline void log_info(std::string_view part, std::string_view text) {
  log_event(LogLevel::kInfo, part, text);
}
inline void log_warn(std::string_view part, std::string_view text) {
  log_event(LogLevel::kWarn, part, text);
}
inline void log_error(std::string_view part, std::string_view text) {
  log_event(LogLevel::kError, part, text);
}

}  // namespace qiao
