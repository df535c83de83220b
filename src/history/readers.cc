// SPDX-License-Identifier: Apache-2.0
#include "history/readers.h"

#include <chrono>
#include <utility>

namespace qiao::history {

Result<Statement*> Reader::statement(std::string_view sql) {
  auto at = statements_.find(sql);
  if (at == statements_.end()) {
    QIAO_ASSIGN(Statement prepared, database_->prepare(sql));
    at = statements_.emplace(sql, std::move(prepared)).first;
  }
  at->second.reset();
  return &at->second;
}

Readers::Lease::~Lease() {
  if (reader_) readers_->give_back(std::move(reader_));
}

Result<Readers::Lease> Readers::lease() {
  std::unique_lock lock(mutex_);
  const bool free = changed_.wait_for(lock, std::chrono::milliseconds(kWaitMs),
                                      [this] { return !suspended_ && in_use_ < kReadersMax; });
  if (suspended_) return unavailable("the history is being built anew: retry later");
  if (!free) return overloaded("too many questions are put to the history: retry later");
  ++in_use_;
  if (!idle_.empty()) {
    Lease lease(*this, std::move(idle_.back()));
    idle_.pop_back();
    return lease;
  }
  lock.unlock();
  auto database = Database::open(path_, Database::Mode::kRead);
  if (!database) {
    give_back(nullptr);
    return std::move(database.error());
  }
  return Lease(*this, std::make_unique<Reader>(std::move(*database)));
}

void Readers::give_back(std::unique_ptr<Reader> reader) {
  std::lock_guard lock(mutex_);
  --in_use_;
  if (reader && !suspended_) idle_.push_back(std::move(reader));
  changed_.notify_all();
}

void Readers::suspend() {
  std::unique_lock lock(mutex_);
  suspended_ = true;
  idle_.clear();
  changed_.wait(lock, [this] { return in_use_ == 0; });
  idle_.clear();
}

void Readers::resume() {
  std::lock_guard lock(mutex_);
  suspended_ = false;
  changed_.notify_all();
}

}  // namespace qiao::history
