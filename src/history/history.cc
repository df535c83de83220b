// SPDX-License-Identifier: Apache-2.0
#include "history/history.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "history/projection.h"
#include "history/readers.h"
#include "history/tokens.h"
#include "history/writer.h"

namespace qiao {
namespace {

using history::Statement;

// Of one answer: rows past the one or the other are left out.
constexpr std::size_t kRowsMax = 10'000;
constexpr std::size_t kAnswerBytesMax = 64 << 20;

// Lists that follow the log are read from their newest end and turned round after.
constexpr std::string_view kConversations =
    "SELECT conversation, messages, first_ms, last_ms, last_text, state FROM conversations "
    "WHERE last_ms < ?1 ORDER BY last_ms DESC LIMIT ?2";
// A conversation and those it was forked from, each up to where: at most 16 deep.
constexpr std::string_view kMessages =
    "WITH RECURSIVE past(conversation, before) AS (SELECT ?1, 9223372036854775807 UNION ALL "
    "SELECT origin, min(forks.before, past.before) FROM forks JOIN past "
    "ON forks.conversation = past.conversation LIMIT 16) "
    "SELECT offset, body FROM past JOIN messages ON messages.conversation = past.conversation "
    "AND messages.offset < past.before WHERE messages.conversation <> '' "
    "ORDER BY offset DESC LIMIT ?2";
constexpr std::string_view kMessage =
    "SELECT offset, body FROM messages WHERE id = ?1 ORDER BY offset DESC LIMIT 1";
constexpr std::string_view kEvents =
    "WITH RECURSIVE past(conversation, before) AS (SELECT ?1, 9223372036854775807 UNION ALL "
    "SELECT origin, min(forks.before, past.before) FROM forks JOIN past "
    "ON forks.conversation = past.conversation LIMIT 16) "
    "SELECT offset, body FROM past JOIN events ON events.conversation = past.conversation "
    "AND events.offset < past.before WHERE events.conversation <> '' "
    "ORDER BY offset DESC LIMIT ?2";
constexpr std::string_view kEventsOfMessage =
    "SELECT offset, body FROM events WHERE message_id = ?1 AND message_id <> '' "
    "ORDER BY offset DESC LIMIT ?2";
constexpr std::string_view kReceipts =
    "SELECT offset, body FROM receipts WHERE message = ?1 ORDER BY offset LIMIT ?2";
constexpr std::string_view kSearch =
    "SELECT messages.offset, messages.body FROM words "
    "JOIN messages ON messages.offset = words.rowid "
    "WHERE words MATCH ?1 ORDER BY words.rowid DESC LIMIT ?2";

std::int64_t rows(std::size_t limit) {
  return static_cast<std::int64_t>(std::min(limit, kRowsMax));
}

std::uint64_t offset_of(const Statement& row) {
  return static_cast<std::uint64_t>(row.integer(0));
}

Result<HistoryMessage> message_of(const Statement& row) {
  QIAO_ASSIGN(Message message, decode_message(row.bytes(1)));
  return HistoryMessage{offset_of(row), std::move(message)};
}

Result<HistoryEvent> event_of(const Statement& row) {
  static const auto kind = static_cast<std::uint8_t>(Record(record::Event{}).index());
  QIAO_ASSIGN(Record decoded, decode_record({kind, std::string(row.bytes(1))}));
  auto* event = std::get_if<record::Event>(&decoded);
  if (event == nullptr) return Error{Code::kCorrupt, "an event in the history is none"};
  return HistoryEvent{offset_of(row), std::move(*event)};
}

Result<record::Receipt> receipt_of(const Statement& row) {
  static const auto kind = static_cast<std::uint8_t>(Record(record::Receipt{}).index());
  QIAO_ASSIGN(Record decoded, decode_record({kind, std::string(row.bytes(1))}));
  auto* receipt = std::get_if<record::Receipt>(&decoded);
  if (receipt == nullptr) return Error{Code::kCorrupt, "a receipt in the history is none"};
  return std::move(*receipt);
}

Result<ConversationInfo> conversation_of(const Statement& row) {
  return ConversationInfo{std::string(row.bytes(0)),
                          static_cast<std::uint64_t>(row.integer(1)),
                          row.integer(2),
                          row.integer(3),
                          std::string(row.bytes(4)),
                          std::string(row.bytes(5))};
}

template <class T>
Result<std::vector<T>> rows_of(Statement& statement, Result<T> (*make)(const Statement&)) {
  std::vector<T> found;
  std::size_t bytes = 0;
  for (;;) {
    QIAO_ASSIGN(const bool row, statement.step());
    if (!row) return found;
    bytes += statement.bytes(1).size();
    if (bytes > kAnswerBytesMax && !found.empty()) return found;
    QIAO_ASSIGN(T value, make(statement));
    found.push_back(std::move(value));
  }
}

template <class T>
Result<std::vector<T>> in_log_order(Result<std::vector<T>> found) {
  if (found) std::reverse(found->begin(), found->end());
  return found;
}

}  // namespace

class History::Impl {
 public:
  Impl(const std::string& path, Log& log, std::unique_ptr<history::Projection> projection)
      : readers_(path), writer_(path, log, readers_, std::move(projection)) {}

  history::HistoryWriter& writer() { return writer_; }

  template <class T>
  Result<std::vector<T>> ask(std::string_view sql, const std::function<void(Statement&)>& bind,
                             Result<T> (*make)(const Statement&)) {
    auto found = ask_reader<T>(sql, bind, make);
    if (!found && found.error().code == Code::kCorrupt) writer_.report_damage();
    return found;
  }

 private:
  template <class T>
  Result<std::vector<T>> ask_reader(std::string_view sql,
                                    const std::function<void(Statement&)>& bind,
                                    Result<T> (*make)(const Statement&)) {
    QIAO_ASSIGN(history::Readers::Lease reader, readers_.lease());
    reader->database().limit_time(history::Readers::kReadMs);
    QIAO_ASSIGN(Statement * statement, reader->statement(sql));
    bind(*statement);
    auto found = rows_of<T>(*statement, make);
    statement->reset();  // ends the read: an open one would hold up the writer's checkpoints
    return found;
  }

  history::Readers readers_;
  history::HistoryWriter writer_;  // after readers_: it uses them
};

History::History(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
History::~History() = default;

Result<std::unique_ptr<History>> History::open(std::string path, Log& log) {
  QIAO_ASSIGN(auto projection, history::Projection::open(path, log));
  return std::unique_ptr<History>(
      new History(std::make_unique<Impl>(path, log, std::move(projection))));
}

void History::wake() {
  impl_->writer().wake();
}

std::uint64_t History::needed_from() {
  return impl_->writer().needed_from();
}

Status History::wait_for(std::uint64_t offset, std::int64_t timeout_ms) {
  return impl_->writer().wait_for(offset, timeout_ms);
}

Result<std::vector<ConversationInfo>> History::conversations(std::size_t limit,
                                                             std::uint64_t before_ms) {
  const std::int64_t before =
      before_ms == 0 || before_ms > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(before_ms);
  return impl_->ask<ConversationInfo>(
      kConversations, [&](Statement& ask) { ask.bind(1, before).bind(2, rows(limit)); },
      conversation_of);
}

Result<std::vector<HistoryMessage>> History::messages(const std::string& conversation,
                                                      std::size_t limit) {
  return in_log_order(impl_->ask<HistoryMessage>(
      kMessages, [&](Statement& ask) { ask.bind_text(1, conversation).bind(2, rows(limit)); },
      message_of));
}

Result<std::vector<HistoryEvent>> History::events(const std::string& conversation,
                                                  std::size_t limit) {
  return in_log_order(impl_->ask<HistoryEvent>(
      kEvents, [&](Statement& ask) { ask.bind_text(1, conversation).bind(2, rows(limit)); },
      event_of));
}

Result<HistoryMessage> History::message(const std::string& id) {
  QIAO_ASSIGN(auto found, impl_->ask<HistoryMessage>(
                              kMessage, [&](Statement& ask) { ask.bind_text(1, id); }, message_of));
  if (found.empty()) return not_found("no message has the id \"" + id + "\"");
  return std::move(found.front());
}

Result<std::vector<HistoryEvent>> History::events_of_message(const std::string& id) {
  return in_log_order(impl_->ask<HistoryEvent>(
      kEventsOfMessage, [&](Statement& ask) { ask.bind_text(1, id).bind(2, rows(kRowsMax)); },
      event_of));
}

Result<std::vector<record::Receipt>> History::receipts(const std::string& group,
                                                       std::uint64_t offset) {
  QIAO_ASSIGN(const auto all,
              impl_->ask<record::Receipt>(
                  kReceipts, [&](Statement& ask) { ask.bind(1, offset).bind(2, rows(kRowsMax)); },
                  receipt_of));
  std::vector<record::Receipt> found;
  for (const record::Receipt& receipt : all) {
    if (receipt.group != group) continue;
    std::erase_if(found, [&](const auto& before) { return before.step == receipt.step; });
    found.push_back(receipt);
  }
  return found;
}

Result<std::vector<HistoryMessage>> History::search(const std::string& query, std::size_t limit) {
  if (query.size() > history::kQueryBytesMax)
    return invalid_argument("a search has at most " + std::to_string(history::kQueryBytesMax) +
                            " bytes");
  const std::string expression = history::match_expression(query);
  if (expression.empty()) return std::vector<HistoryMessage>();
  return impl_->ask<HistoryMessage>(
      kSearch, [&](Statement& ask) { ask.bind_text(1, expression).bind(2, rows(limit)); },
      message_of);
}

}  // namespace qiao
