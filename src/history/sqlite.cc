// SPDX-License-Identifier: Apache-2.0
#include "history/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "base/check.h"
#include "base/steady_ms.h"

namespace qiao::history {
namespace {

// How long a statement waits for a lock: only a checkpoint or a rebuild can hold one.
constexpr int kBusyMs = 2'000;
// SQLite asks about the time limit each so many of its own steps.
constexpr int kStepsPerLook = 10'000;

Code code_of(int result) {
  switch (result & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::kCorrupt;
    case SQLITE_INTERRUPT:
      return Code::kDeadline;
    default:
      return Code::kUnavailable;
  }
}

Error error_of(int result, const char* detail) {
  if (code_of(result) == Code::kDeadline)
    return {Code::kDeadline, "the history did not answer in time: ask for less"};
  return {code_of(result), std::string("the history's database failed: ") + detail};
}

// The path as SQLite's URI for a file that does not change (sqlite.org/uri.html).
std::string uri_of_still_file(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '?')
      uri += "%3f";
    else if (c == '#')
      uri += "%23";
    else if (c == '%')
      uri += "%25";
    else
      uri += c;
  }
  return uri + "?immutable=1";
}

int flags_of(Database::Mode mode) {
  switch (mode) {
    case Database::Mode::kWrite:
      return SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    case Database::Mode::kRead:
      return SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY;
    case Database::Mode::kAlone:
      return SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
  }
  return SQLITE_OPEN_READONLY;
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Mode mode) {
  sqlite3* handle = nullptr;
  const std::string name = mode == Mode::kAlone ? uri_of_still_file(path) : path;
  const int result = sqlite3_open_v2(name.c_str(), &handle, flags_of(mode), nullptr);
  std::unique_ptr<Database> database(new Database(handle));
  if (result != SQLITE_OK)
    return error_of(result, handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(result))
        .with("while opening " + path);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyMs);
  // Debian's SQLite may lose a WAL reset when two connections write or checkpoint: only one may.
  QIAO_CHECK(mode == Mode::kWrite || sqlite3_db_readonly(handle, "main") == 1);
  return database;
}

Database::~Database() {
  const int result = sqlite3_close(handle_);
  QIAO_DCHECK(result == SQLITE_OK);  // a Statement outlived its Database
  (void)result;
}

Status Database::run(const std::string& sql) {
  const int result = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return error_of(result, sqlite3_errmsg(handle_));
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) return error_of(result, sqlite3_errmsg(handle_));
  return Statement(statement);
}

Result<std::int64_t> Database::number(std::string_view sql) {
  QIAO_ASSIGN(Statement statement, prepare(sql));
  QIAO_ASSIGN(const bool row, statement.step());
  if (!row) return not_found("no row");
  return statement.integer(0);
}

Result<std::string> Database::text(std::string_view sql) {
  QIAO_ASSIGN(Statement statement, prepare(sql));
  QIAO_ASSIGN(const bool row, statement.step());
  if (!row) return not_found("no row");
  return std::string(statement.bytes(0));
}

void Database::limit_time(std::int64_t limit_ms) {
  until_ms_ = steady_ms() + limit_ms;
  sqlite3_progress_handler(
      handle_, kStepsPerLook,
      [](void* self) { return steady_ms() > static_cast<Database*>(self)->until_ms_ ? 1 : 0; },
      this);
}

Statement& Statement::bind(int at, std::int64_t value) {
  sqlite3_bind_int64(handle_.get(), at, value);
  return *this;
}

Statement& Statement::bind(int at, std::uint64_t value) {
  return bind(at, static_cast<std::int64_t>(value));  // offsets stay far below 2^63
}

Statement& Statement::bind_text(int at, std::string_view text) {
  const char* data = text.empty() ? "" : text.data();  // a null pointer would bind NULL
  sqlite3_bind_text64(handle_.get(), at, data, text.size(), nullptr, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_blob(int at, std::string_view bytes) {
  const char* data = bytes.empty() ? "" : bytes.data();
  sqlite3_bind_blob64(handle_.get(), at, data, bytes.size(), nullptr);
  return *this;
}

Result<bool> Statement::step() {
  const int result = sqlite3_step(handle_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return error_of(result, sqlite3_errmsg(sqlite3_db_handle(handle_.get())));
}

Status Statement::run() {
  Result<bool> row = step();
  while (row && *row) row = step();
  reset();
  if (!row) return std::move(row.error());
  return {};
}

void Statement::reset() {
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}

std::string_view Statement::bytes(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
  const int size = sqlite3_column_bytes(handle_.get(), column);
  return bytes == nullptr ? std::string_view()
                          : std::string_view(bytes, static_cast<std::size_t>(size));
}

void Statement::Finalize::operator()(sqlite3_stmt* handle) const {
  sqlite3_finalize(handle);
}

}  // namespace qiao::history
