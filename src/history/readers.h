// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "history/sqlite.h"

namespace qiao::history {

// One read-only connection with the statements it has prepared.
class Reader {
 public:
  explicit Reader(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  // Ready to be bound. `sql` must live as long as the program.
  Result<Statement*> statement(std::string_view sql);
  Database& database() { return *database_; }

 private:
  std::unique_ptr<Database> database_;
  std::map<std::string_view, Statement> statements_;  // after database_
};

// At most `kReadersMax` read-only connections to one file, opened when they are needed.
//
// Owned by History. Thread-safe. Waits at most `kWaitMs` for a free one: `overloaded` after.
class Readers {
 public:
  static constexpr std::size_t kReadersMax = 4;
  static constexpr std::int64_t kWaitMs = 2'000;
  static constexpr std::int64_t kReadMs = 5'000;  // for one question

  // A reader, given back when it goes out of scope.
  class Lease {
   public:
    Lease(Readers& readers, std::unique_ptr<Reader> reader)
        : readers_(&readers), reader_(std::move(reader)) {}
    ~Lease();
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    Reader* operator->() { return reader_.get(); }

   private:
    Readers* readers_;
    std::unique_ptr<Reader> reader_;  // null: moved from
  };

  explicit Readers(std::string path) : path_(std::move(path)) {}

  Result<Lease> lease();
  // The file is going to be another: closes all connections, waiting for those in use, and gives
  // none out until resume().
  void suspend();
  void resume();

 private:
  void give_back(std::unique_ptr<Reader> reader);

  const std::string path_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Reader>> idle_;
  std::size_t in_use_ = 0;
  bool suspended_ = false;
};

}  // namespace qiao::history
