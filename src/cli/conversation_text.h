// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/session.h"

namespace qiao::cli {

// What was said in a conversation so far, a line for each message, oldest first; messages that
// only passed on what is there already are left out.
Result<std::string> conversation_text(const Session& session, const Client& client,
                                      const std::string& conversation);

}  // namespace qiao::cli
