// SPDX-License-Identifier: Apache-2.0
#include "history/check.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "history/sqlite.h"

namespace qiao {
namespace {

using history::Database;

// What SQLite has to say; "" when nothing.
Result<std::string> verdict_of(const std::string& path, Database::Mode mode) {
  QIAO_ASSIGN(const auto database, Database::open(path, mode));
  QIAO_ASSIGN(std::string verdict, database->text("PRAGMA integrity_check(1)"));
  std::replace(verdict.begin(), verdict.end(), '\n', ' ');
  return verdict == "ok" ? std::string() : verdict;
}

}  // namespace

Result<HistoryCheck> check_history(const std::string& path) {
  std::error_code fault;
  HistoryCheck check;
  check.there = std::filesystem::exists(path, fault);
  if (!check.there) return check;
  check.bytes = std::filesystem::file_size(path, fault);
  // Without a write-ahead log the file alone is the truth, and nothing needs to stand beside it.
  const bool alone = !std::filesystem::exists(path + "-wal", fault);
  const bool had_index = std::filesystem::exists(path + "-shm", fault);
  Result<std::string> verdict =
      verdict_of(path, alone ? Database::Mode::kAlone : Database::Mode::kRead);
  if (!alone && !had_index) std::filesystem::remove(path + "-shm", fault);
  if (verdict) {
    check.fault = *verdict;
  } else if (verdict.error().code == Code::kCorrupt) {
    check.fault = verdict.error().message;
  } else {
    return verdict.error();
  }
  return check;
}

}  // namespace qiao
