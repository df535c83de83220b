// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/session.h"

namespace qiao::cli {

struct ServerBenchOptions {
  int clients = 8;  // threads that ask, each with one connection
  double seconds = 3;
  bool fsync = true;
  std::string data;  // of the server started for it; "": a temporary folder
  std::string flow;  // bench chat: the flow (or model) that is asked
  std::string text;
  int rounds = 3;  // bench chat: questions of each conversation
};

// Request-reply over HTTP on loopback: `clients` ask, as many work off a group, each ack with its
// answer. A server is started for it. Blocks.
Result<Json> bench_reply(const Session& session, const ServerBenchOptions& options);

// Conversations with a flow of a running server: time to the first piece, and tokens a second of
// all together. Blocks.
Result<Json> bench_chat(const Client& client, const ServerBenchOptions& options);

}  // namespace qiao::cli
