// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/interrupts.h"
#include "cli/session.h"

namespace qiao::cli {

struct ChatOptions {
  std::string flow;
  std::string conversation;  // "": a new one
};

// Talks to a flow line by line until the input ends, /quit, or Ctrl-C at the prompt. From a pipe
// each line is a message and is printed before its answer. Returns the exit status: that of the
// last answer that failed.
Result<int> run_chat(Session& session, const Client& client, Interrupts& interrupts,
                     const ChatOptions& options);

}  // namespace qiao::cli
