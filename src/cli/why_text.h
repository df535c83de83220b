// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/session.h"

namespace qiao::cli {

// The server's account of one message: GET /v1/messages/ID/why in the session's language. It
// stands in the history a moment after the answer, so `not_found` is asked again for a while.
Result<Json> ask_why(const Session& session, const Client& client, const std::string& message_id);

// The account for people: the sentence, the scores against their thresholds, what was understood
// and the steps of the turn.
std::string why_text(const Session& session, const Json& why);

// "[route care · rule · 12 ms]", or "" when nothing was decided.
std::string route_line(const Json& why, double ms);

}  // namespace qiao::cli
