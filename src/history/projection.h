// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "history/sqlite.h"
#include "log/log.h"
#include "log/record.h"

namespace qiao::history {

// Raised whenever the tables, or what is written into them, change: an older file is rebuilt.
inline constexpr std::int64_t kSchemaVersion = 2;
// "_inbox.…" holds answers on their way to one waiting program: no part of a conversation.
inline constexpr std::string_view kInboxPrefix = "_inbox.";
inline constexpr std::size_t kLastTextCharactersMax = 120;

// The SQLite file as its one writer sees it: takes log entries in, in order, each batch with the
// place it reaches in one transaction.
//
// Owned by History's writer. One thread at a time. A failure leaves the file as it was before.
class Projection {
 public:
  // Opens the file, or makes a new one when there is none, it is damaged, of another schema, or
  // written from another log than `log` (so also from more of it than `log` still keeps).
  static Result<std::unique_ptr<Projection>> open(const std::string& path, Log& log);

  // The next offset to apply.
  [[nodiscard]] std::uint64_t position() const { return position_; }
  // Takes in `entries`. Records that cannot be read, or of kinds not kept, are stepped over.
  Status apply(const std::vector<LogEntry>& entries);
  // Syncs all that was taken in; false: a reader is in the way, try again later.
  Result<bool> persist();
  // Goes on from `offset`: what lies before is no longer in the log.
  void skip_to(std::uint64_t offset) { position_ = offset; }

 private:
  explicit Projection(std::unique_ptr<Database> database);
  static Result<std::unique_ptr<Projection>> create(const std::string& path, Log& log);
  Status prepare();
  Status apply_all(const std::vector<LogEntry>& entries);
  Status apply(const LogEntry& entry);
  Status apply(const LogEntry& entry, const record::Published& published);
  Status apply(const LogEntry& entry, const record::Event& event);
  Status apply(const LogEntry& entry, const record::Receipt& receipt);
  Status take_fork(const record::Event& event);
  Status index(std::uint64_t offset, const Message& message);
  Status save_position(std::uint64_t next, std::uint32_t last_crc);

  std::unique_ptr<Database> database_;
  std::uint64_t position_ = 0;
  // After database_: they must not outlive it.
  std::vector<Statement> statements_;
};

// Removes the database file and SQLite's files beside it.
Status remove_database(const std::string& path);

}  // namespace qiao::history
