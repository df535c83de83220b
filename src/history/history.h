// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "log/log.h"
#include "log/record.h"
#include "message/message.h"

namespace qiao {

struct HistoryMessage {
  std::uint64_t offset = 0;
  Message message;
};
struct HistoryEvent {
  std::uint64_t offset = 0;
  record::Event event;
};
struct ConversationInfo {
  std::string conversation;
  std::uint64_t messages = 0;
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::string last_text;  // cut to 120 characters
  std::string state;      // data.state of the last "conversation" event: "open", "person", "ended"
};

// What people ask of the log, as an SQLite file: conversations, messages, decisions, full-text
// search (FTS5 over our own bigram tokens, so that two-character Chinese words are found). A
// projection: written behind by one thread that tails the log, rebuilt when it is missing, older
// than the log keeps, or damaged. Never the truth.
//
// Owned by server/app; `log` must outlive it. Reads are thread-safe (a few read-only
// connections); exactly one connection writes and checkpoints.
class History {
 public:
  static Result<std::unique_ptr<History>> open(std::string path, Log& log);
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  // Tells the writer that the log has grown. Cheap; from any thread.
  void wake();
  // The log must keep the records from here on: what is below would be in the file after a power
  // cut too. Grows after it was asked for. Cheap; from any thread.
  std::uint64_t needed_from();
  // Waits until records below `offset` are in, at most `timeout_ms` (`deadline` after).
  Status wait_for(std::uint64_t offset, std::int64_t timeout_ms);

  Result<std::vector<ConversationInfo>> conversations(std::size_t limit,
                                                      std::uint64_t before_ms = 0);
  // In log order, of a fork also what was before it.
  Result<std::vector<HistoryMessage>> messages(const std::string& conversation, std::size_t limit);
  Result<std::vector<HistoryEvent>> events(const std::string& conversation, std::size_t limit);
  Result<HistoryMessage> message(const std::string& id);  // not_found
  // Events about one message: its decisions, tool calls, filter verdicts.
  Result<std::vector<HistoryEvent>> events_of_message(const std::string& id);
  // What the steps of a group's work on the message at `offset` gave, in log order; of a step the
  // newest.
  Result<std::vector<record::Receipt>> receipts(const std::string& group, std::uint64_t offset);
  // Words and phrases in either language; newest first.
  Result<std::vector<HistoryMessage>> search(const std::string& query, std::size_t limit);

 private:
  class Impl;
  explicit History(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace qiao
