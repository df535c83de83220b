// SPDX-License-Identifier: Apache-2.0
#include "history/projection.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "base/logging.h"
#include "history/tokens.h"

namespace qiao::history {
namespace {

// `words` keeps no text: its rowid is the message's offset.
constexpr const char* kSchema = R"(
  CREATE TABLE position (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    next INTEGER NOT NULL,
    last_crc INTEGER NOT NULL);
  CREATE TABLE messages (
    offset INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    conversation TEXT NOT NULL,
    body BLOB NOT NULL);
  CREATE INDEX messages_by_id ON messages (id);
  CREATE INDEX messages_by_conversation ON messages (conversation) WHERE conversation <> '';
  CREATE TABLE events (
    offset INTEGER PRIMARY KEY,
    conversation TEXT NOT NULL,
    message_id TEXT NOT NULL,
    body BLOB NOT NULL);
  CREATE INDEX events_by_conversation ON events (conversation) WHERE conversation <> '';
  CREATE INDEX events_by_message ON events (message_id) WHERE message_id <> '';
  CREATE TABLE receipts (
    offset INTEGER PRIMARY KEY,
    message INTEGER NOT NULL,
    body BLOB NOT NULL);
  CREATE INDEX receipts_by_message ON receipts (message);
  CREATE TABLE forks (
    conversation TEXT PRIMARY KEY,
    origin TEXT NOT NULL,
    before INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE conversations (
    conversation TEXT PRIMARY KEY,
    messages INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    last_text TEXT NOT NULL,
    state TEXT NOT NULL) WITHOUT ROWID;
  CREATE INDEX conversations_by_time ON conversations (last_ms);
  CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='unicode61 remove_diacritics 2');
)";

enum Sql : std::size_t {
  kMessage,
  kTalk,
  kWords,
  kEvent,
  kState,
  kPosition,
  kReceipt,
  kFork,
  kSqlCount
};
constexpr std::array<std::string_view, kSqlCount> kSql = {
    "INSERT INTO messages VALUES (?1, ?2, ?3, ?4)",
    "INSERT INTO conversations VALUES (?1, 1, ?2, ?2, ?3, '') ON CONFLICT DO UPDATE SET "
    "messages = messages + 1, last_ms = max(last_ms, ?2), last_text = ?3, "
    "first_ms = CASE WHEN messages = 0 THEN ?2 ELSE first_ms END",
    "INSERT INTO words (rowid, text) VALUES (?1, ?2)",
    "INSERT INTO events VALUES (?1, ?2, ?3, ?4)",
    "INSERT INTO conversations VALUES (?1, 0, ?2, ?2, '', ?3) ON CONFLICT DO UPDATE SET state = ?3",
    "INSERT OR REPLACE INTO position VALUES (1, ?1, ?2)",
    "INSERT INTO receipts VALUES (?1, ?2, ?3)",
    "INSERT OR IGNORE INTO forks VALUES (?1, ?2, ?3)",
};

// Rows are written once and never changed, so a crash may cost the last batches, never the file
// (WAL with NORMAL). SQLite checkpoints every 1,000 pages; what a long read kept is given back.
constexpr const char* kPragmas =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 67108864;"
    "PRAGMA temp_store = MEMORY;";

// Up to this size a file is read through when it is opened; damage in a larger one is found by
// the read or write that meets it.
constexpr std::uintmax_t kCheckedBytesMax = 64 << 20;

std::string first_characters(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (begins && count-- == 0) break;
  }
  return std::string(text.substr(0, end));
}

std::uint32_t crc_of(const LogRecord& record) {
  return crc32c(record.bytes, record.kind);
}

// Why the file cannot be gone on with; empty when it can.
Result<std::string> fault_of(Database& database, const std::string& path) {
  QIAO_ASSIGN(const std::int64_t version, database.number("PRAGMA user_version"));
  if (version != kSchemaVersion) return "its schema is version " + std::to_string(version);
  std::error_code ignored;
  if (std::filesystem::file_size(path, ignored) > kCheckedBytesMax) return std::string();
  QIAO_ASSIGN(std::string verdict, database.text("PRAGMA quick_check(1)"));
  std::replace(verdict.begin(), verdict.end(), '\n', ' ');
  return verdict == "ok" ? std::string() : "it is damaged: " + verdict;
}

// Why a file that reached `next` does not belong to `log`; empty when it does. The last record
// taken in must be the same in the log: a file of another log, or of records lost since, is not.
Result<std::string> mismatch(Log& log, std::uint64_t next, std::uint32_t last_crc) {
  const LogBounds bounds = log.bounds();
  if (next > bounds.next) return std::string("it knows more than the log has");
  if (next < bounds.first) return std::string("the log no longer keeps what it lacks");
  if (next == bounds.first) return std::string();
  QIAO_ASSIGN(const std::vector<LogEntry> last, log.read(next - 1, 1, 1));
  if (last.empty() || crc_of(last.front().record) != last_crc)
    return std::string("it was written from another log");
  return std::string();
}

}  // namespace

Status remove_database(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    std::error_code error;
    std::filesystem::remove(path + suffix, error);
    if (error) return unavailable("cannot remove " + path + suffix + ": " + error.message());
  }
  return {};
}

Projection::Projection(std::unique_ptr<Database> database) : database_(std::move(database)) {}

Result<std::unique_ptr<Projection>> Projection::open(const std::string& path, Log& log) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return create(path, log);
  const auto reopened = [&]() -> Result<std::unique_ptr<Projection>> {
    QIAO_ASSIGN(std::unique_ptr<Database> database, Database::open(path, Database::Mode::kWrite));
    QIAO_ASSIGN(std::string fault, fault_of(*database, path));
    if (!fault.empty()) return Error{Code::kCorrupt, std::move(fault)};
    QIAO_TRY(database->run(kPragmas));
    QIAO_ASSIGN(const std::int64_t next, database->number("SELECT next FROM position"));
    QIAO_ASSIGN(const std::int64_t crc, database->number("SELECT last_crc FROM position"));
    QIAO_ASSIGN(fault,
                mismatch(log, static_cast<std::uint64_t>(next), static_cast<std::uint32_t>(crc)));
    if (!fault.empty()) return Error{Code::kCorrupt, std::move(fault)};
    std::unique_ptr<Projection> projection(new Projection(std::move(database)));
    projection->position_ = static_cast<std::uint64_t>(next);
    QIAO_TRY(projection->prepare());
    return projection;
  };
  auto projection = reopened();
  if (projection || projection.error().code != Code::kCorrupt) return projection;
  log_warn("history", path + " is built anew: " + projection.error().message);
  return create(path, log);
}

Result<std::unique_ptr<Projection>> Projection::create(const std::string& path, Log& log) {
  QIAO_TRY(remove_database(path));
  QIAO_ASSIGN(std::unique_ptr<Database> database, Database::open(path, Database::Mode::kWrite));
  QIAO_TRY(database->run(kPragmas));
  std::unique_ptr<Projection> projection(new Projection(std::move(database)));
  projection->position_ = log.bounds().first;
  QIAO_TRY(projection->database_->run("BEGIN IMMEDIATE"));
  QIAO_TRY(projection->database_->run(kSchema));
  QIAO_TRY(projection->prepare());
  QIAO_TRY(projection->save_position(projection->position_, 0));
  // The version last: a file without it is begun again.
  QIAO_TRY(projection->database_->run("PRAGMA user_version = " + std::to_string(kSchemaVersion)));
  QIAO_TRY(projection->database_->run("COMMIT"));
  return projection;
}

Status Projection::prepare() {
  for (const std::string_view sql : kSql) {
    QIAO_ASSIGN(Statement statement, database_->prepare(sql));
    statements_.push_back(std::move(statement));
  }
  return {};
}

Status Projection::apply(const std::vector<LogEntry>& entries) {
  if (entries.empty()) return {};
  QIAO_TRY(database_->run("BEGIN IMMEDIATE"));
  Status applied = apply_all(entries);
  if (applied) applied = database_->run("COMMIT");
  if (!applied) {
    (void)database_->run("ROLLBACK");  // it fails when SQLite has rolled back by itself
    return applied;
  }
  position_ = entries.back().offset + 1;
  return {};
}

Status Projection::apply_all(const std::vector<LogEntry>& entries) {
  for (const LogEntry& entry : entries) QIAO_TRY(apply(entry));
  return save_position(entries.back().offset + 1, crc_of(entries.back().record));
}

Status Projection::apply(const LogEntry& entry) {
  const Result<Record> record = decode_record(entry.record);
  if (!record) {
    log_warn("history", "the record at " + std::to_string(entry.offset) +
                            " is left out: " + record.error().message);
    return {};
  }
  if (const auto* published = std::get_if<record::Published>(&*record))
    return apply(entry, *published);
  if (const auto* event = std::get_if<record::Event>(&*record)) return apply(entry, *event);
  if (const auto* receipt = std::get_if<record::Receipt>(&*record)) return apply(entry, *receipt);
  return {};
}

Status Projection::apply(const LogEntry& entry, const record::Published& published) {
  const Message& message = published.message;
  const bool inbox = message.subject.starts_with(kInboxPrefix);
  QIAO_TRY(statements_[kMessage]
               .bind(1, entry.offset)
               .bind_text(2, message.id)
               .bind_text(3, inbox ? std::string_view() : std::string_view(message.conversation))
               .bind_blob(4, entry.record.bytes)
               .run());
  return inbox ? Status() : index(entry.offset, message);
}

Status Projection::index(std::uint64_t offset, const Message& message) {
  const std::string text = message.text();
  if (!message.conversation.empty()) {
    QIAO_TRY(statements_[kTalk]
                 .bind_text(1, message.conversation)
                 .bind(2, message.time_ms)
                 .bind_text(3, first_characters(text, kLastTextCharactersMax))
                 .run());
  }
  const std::string words = index_words(text);
  if (words.empty()) return {};
  return statements_[kWords].bind(1, offset).bind_text(2, words).run();
}

Status Projection::apply(const LogEntry& entry, const record::Event& event) {
  QIAO_TRY(statements_[kEvent]
               .bind(1, entry.offset)
               .bind_text(2, event.conversation)
               .bind_text(3, event.message_id)
               .bind_blob(4, entry.record.bytes)
               .run());
  if (event.type == "forked") return take_fork(event);
  if (event.type != "conversation" || event.conversation.empty()) return {};
  const std::string state = json_string(event.data, "state").value_or("");
  return statements_[kState]
      .bind_text(1, event.conversation)
      .bind(2, event.time_ms)
      .bind_text(3, state)
      .run();
}

Status Projection::apply(const LogEntry& entry, const record::Receipt& receipt) {
  return statements_[kReceipt]
      .bind(1, entry.offset)
      .bind(2, receipt.offset)
      .bind_blob(3, entry.record.bytes)
      .run();
}

// Of a conversation that goes on from a place in another's past.
Status Projection::take_fork(const record::Event& event) {
  const auto origin = json_string(event.data, "from");
  const auto before = json_integer(event.data, "before");
  if (!origin || !before || event.conversation.empty()) return {};
  return statements_[kFork]
      .bind_text(1, event.conversation)
      .bind_text(2, *origin)
      .bind(3, *before)
      .run();
}

// A checkpoint syncs the WAL before and the file after it has copied all of it.
Result<bool> Projection::persist() {
  QIAO_ASSIGN(Statement checkpoint, database_->prepare("PRAGMA wal_checkpoint(PASSIVE)"));
  QIAO_ASSIGN(const bool told, checkpoint.step());
  return told && checkpoint.integer(0) == 0 && checkpoint.integer(1) == checkpoint.integer(2);
}

Status Projection::save_position(std::uint64_t next, std::uint32_t last_crc) {
  return statements_[kPosition].bind(1, next).bind(2, static_cast<std::uint64_t>(last_crc)).run();
}

}  // namespace qiao::history
