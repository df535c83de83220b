// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace qiao::history {

class Statement;

// One SQLite connection. One thread at a time. SQLite's failures come as: `corrupt` (the file is
// damaged or no database), `deadline` (interrupted by limit_time), `unavailable` (all others: a
// full disk, a lock, an I/O error), each with SQLite's own words.
class Database {
 public:
  // kWrite makes the file; kRead can never change it; kAlone reads a file that nobody writes and
  // makes no files beside it.
  enum class Mode { kWrite, kRead, kAlone };

  static Result<std::unique_ptr<Database>> open(const std::string& path, Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs statements that give no rows.
  Status run(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  // The first column of the first row; not_found without a row.
  Result<std::int64_t> number(std::string_view sql);
  Result<std::string> text(std::string_view sql);
  // From now on every statement ends with `deadline` this long after this call.
  void limit_time(std::int64_t limit_ms);

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  sqlite3* handle_;
  std::int64_t until_ms_ = 0;
};

// One prepared statement; must not outlive its Database.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}

  // Parameters from 1. `bytes` must live until reset().
  Statement& bind(int at, std::int64_t value);
  Statement& bind(int at, std::uint64_t value);
  Statement& bind_text(int at, std::string_view text);
  Statement& bind_blob(int at, std::string_view bytes);

  // True: there is a row. False: done.
  Result<bool> step();
  // step() to the end, then reset().
  Status run();
  void reset();

  // Columns from 0, of the row stepped to; views last until the next call of step() or reset().
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string_view bytes(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

}  // namespace qiao::history
