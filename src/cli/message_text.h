// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/session.h"
#include "client/client.h"

namespace qiao::cli {

// "14:03:27" in local time.
std::string clock_time(std::int64_t time_ms);

// What a message says, in one line: its text, or what its parts are.
std::string message_summary(const Message& message);

// Prints a message: one line for people, or its JSON with --json.
void print_message(Session& session, const ReceivedMessage& received);

// The message with its offset, as the API writes it.
Json to_json(const ReceivedMessage& received);

}  // namespace qiao::cli
