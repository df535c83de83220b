// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "log/record.h"

namespace qiao {

// What a dead letter tells of its end, in headers.
inline constexpr std::string_view kDeadGroup = "x-dead-group";
inline constexpr std::string_view kDeadOrigin = "x-dead-origin";  // its subject
inline constexpr std::string_view kDeadOffset = "x-dead-offset";  // where it is kept
inline constexpr std::string_view kDeadAttempts = "x-dead-attempts";
inline constexpr std::string_view kDeadReason = "x-dead-reason";
inline constexpr std::string_view kDeadError = "x-dead-error";  // its class, where named
inline constexpr std::string_view kDeadPrefix = "x-dead-";

inline constexpr std::size_t kReasonBytesMax = 1'024;

// Where a group's dead letters go.
std::string dead_letter_subject(const GroupSpec& spec);
std::string cut_utf8(std::string text, std::size_t bytes_max);

}  // namespace qiao
