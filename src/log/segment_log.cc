// SPDX-License-Identifier: Apache-2.0
#include "log/segment_log.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "log/segment_recovery.h"
#include "log/segment_writer.h"
#include "log/snapshot_files.h"

namespace qiao {
namespace {

using segment::Batch;
using segment::Segment;

constexpr std::size_t kGroupBytesMax = 8 << 20;  // one write
constexpr std::size_t kBatchBytesMax = 1 << 30;  // sizes in a frame have 32 bits
constexpr std::size_t kReadersMax = 32;          // open files
constexpr std::size_t kRecordBytesExtra = 64;    // what a waiting record takes besides its bytes
constexpr std::int64_t kPostAgainMs = 1;         // a writer with no room now has room later

std::size_t bytes_of(const std::vector<LogRecord>& records) {
  std::size_t bytes = 0;
  for (const LogRecord& record : records) bytes += record.bytes.size() + kRecordBytesExtra;
  return bytes;
}

// Copies the batch's entries within the limits; false when they are used up.
bool copy_batch(const Batch& batch, const segment::ReadLimits& limits, std::size_t& bytes,
                std::vector<LogEntry>& entries) {
  for (std::size_t i = 0; i < batch.records.size(); ++i) {
    if (batch.first + i < limits.from) continue;
    const LogRecord& record = batch.records[i];
    bytes += record.bytes.size();
    if (entries.size() >= limits.count_max || (!entries.empty() && bytes > limits.bytes_max))
      return false;
    entries.push_back({batch.first + i, record});
  }
  return true;
}

}  // namespace

class SegmentLog::Impl {
 public:
  Impl(Disk& disk, SegmentLogOptions options, segment::Recovered recovered)
      : disk_(disk),
        options_(std::move(options)),
        snapshots_(disk, options_.directory),
        writer_(disk, options_.directory, options_.segment_bytes, options_.sync,
                *recovered.segments.rbegin()->second, std::move(recovered.file)),
        segments_(std::move(recovered.segments)),
        next_(segments_.rbegin()->second->next),
        durable_(next_) {
    if (options_.writer != nullptr) return;
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), "log");
  }
  ~Impl() { static_cast<void>(close()); }

  Result<std::uint64_t> append(std::vector<LogRecord> records, AppendDone done);
  Result<std::vector<LogEntry>> read(segment::ReadLimits limits);
  Status trim(std::uint64_t floor);
  Status save_snapshot(const Snapshot& snapshot);
  Result<std::optional<Snapshot>> load_snapshot();
  LogBounds bounds();
  Durability durability() const;
  Status close();

 private:
  Result<std::vector<LogEntry>> read_part(const segment::ReadLimits& limits);
  Result<DiskFile*> reader(const std::string& path);
  std::vector<LogEntry> copy_waiting(const segment::ReadLimits& limits) const;
  Status status() const { return failed_ ? Status(*failed_) : Status(); }

  void wake_writer();
  void post_step();
  void run();
  void step(std::unique_lock<std::mutex>& lock);
  void take_group();
  Status write_group();
  void finish_group(std::unique_lock<std::mutex>& lock, const Status& status);
  void seal(std::unique_lock<std::mutex>& lock);

  Disk& disk_;
  const SegmentLogOptions options_;
  segment::SnapshotFiles snapshots_;
  segment::SegmentWriter writer_;  // the writer thread's own

  std::mutex read_mutex_;  // guards the open files; taken alone
  std::map<std::string, std::unique_ptr<DiskFile>> readers_;

  std::mutex mutex_;  // guards the rest
  std::condition_variable wake_;
  std::map<std::uint64_t, std::shared_ptr<Segment>> segments_;
  std::deque<Batch> waiting_;
  std::vector<Batch> writing_;  // changed by the writer thread alone
  std::size_t waiting_bytes_ = 0;
  std::uint64_t next_;
  std::uint64_t durable_;
  std::optional<Error> failed_;
  bool closing_ = false;

  bool step_posted_ = false;  // with options_.writer: its thread alone
  std::shared_ptr<Impl*> alive_ = std::make_shared<Impl*>(this);  // for the posted steps

  std::mutex close_mutex_;  // held while joining
  std::thread thread_;      // last: starts when everything above is there
};

Result<std::uint64_t> SegmentLog::Impl::append(std::vector<LogRecord> records, AppendDone done) {
  const std::size_t bytes = bytes_of(records);
  if (bytes > std::min(options_.append_bytes_max, kBatchBytesMax))
    return invalid_argument("a batch of " + std::to_string(bytes) + " bytes is too large to store");
  std::uint64_t first = 0;
  {
    std::lock_guard lock(mutex_);
    if (failed_) return *failed_;
    if (closing_) return unavailable("the log is closed");
    if (bytes > options_.append_bytes_max - waiting_bytes_) {
      return overloaded(std::to_string(waiting_bytes_) +
                        " bytes wait for the disk; try again in a moment");
    }
    first = next_;
    next_ += records.size();
    waiting_bytes_ += bytes;
    waiting_.push_back({first, std::move(records), bytes, std::move(done)});
  }
  wake_writer();
  return first;
}

void SegmentLog::Impl::wake_writer() {
  if (options_.writer == nullptr) return wake_.notify_one();
  if (!std::exchange(step_posted_, true)) post_step();
}

void SegmentLog::Impl::post_step() {
  const auto task = [weak = std::weak_ptr<Impl*>(alive_)] {
    const auto alive = weak.lock();
    if (!alive) return;
    Impl& self = **alive;
    std::unique_lock lock(self.mutex_);
    if (!self.failed_ && !self.waiting_.empty()) self.step(lock);
    self.step_posted_ = !self.failed_ && !self.waiting_.empty();
    if (self.step_posted_) self.post_step();
  };
  if (!options_.writer->post(task)) options_.writer->post_after(kPostAgainMs, task);
}

void SegmentLog::Impl::run() {
  std::unique_lock lock(mutex_);
  while (!failed_) {
    wake_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
    if (waiting_.empty()) return seal(lock);
    step(lock);
  }
}

// One group: written, synced, told.
void SegmentLog::Impl::step(std::unique_lock<std::mutex>& lock) {
  take_group();
  lock.unlock();
  const Status written = write_group();
  lock.lock();
  finish_group(lock, written);
}

void SegmentLog::Impl::take_group() {
  std::size_t bytes = 0;
  while (!waiting_.empty() && bytes < kGroupBytesMax) {
    bytes += waiting_.front().bytes;
    writing_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

Status SegmentLog::Impl::write_group() {
  std::size_t bytes = 0;
  for (const Batch& batch : writing_) bytes += batch.bytes;
  if (writer_.is_full_for(bytes)) {
    QIAO_ASSIGN(std::shared_ptr<Segment> segment, writer_.roll());
    std::lock_guard lock(mutex_);
    const std::uint64_t first = segment->header.first;
    segments_.emplace(first, std::move(segment));
  }
  QIAO_ASSIGN(const segment::Written written, writer_.write(writing_));
  std::lock_guard lock(mutex_);
  written.apply(*segments_.rbegin()->second);
  durable_ = written.next;
  return {};
}

// Runs the callbacks outside the lock, and frees the records there too.
void SegmentLog::Impl::finish_group(std::unique_lock<std::mutex>& lock, const Status& status) {
  std::vector<Batch> finished;
  finished.swap(writing_);
  Status result = status;
  if (!status) {
    result =
        Error(status.error()).with("the log is closed: restart the server when the disk is well");
    failed_ = result.error();
    std::move(waiting_.begin(), waiting_.end(), std::back_inserter(finished));
    waiting_.clear();
  }
  for (const Batch& batch : finished) waiting_bytes_ -= batch.bytes;
  lock.unlock();
  for (const Batch& batch : finished) {
    if (batch.done) batch.done(result);
  }
  finished.clear();
  lock.lock();
}

void SegmentLog::Impl::seal(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const Result<segment::Written> sealed = writer_.seal();
  lock.lock();
  if (sealed) {
    sealed->apply(*segments_.rbegin()->second);
  } else {
    failed_ = sealed.error();
  }
}

Result<std::vector<LogEntry>> SegmentLog::Impl::read(segment::ReadLimits limits) {
  std::vector<LogEntry> entries;
  for (;;) {
    Result<std::vector<LogEntry>> part = read_part(limits);
    if (!part && !entries.empty()) return entries;  // whoever asks for more is told
    if (!part) return part.error();
    std::size_t bytes = 0;
    for (const LogEntry& entry : *part) bytes += entry.record.bytes.size();
    const bool last =
        part->empty() || part->size() >= limits.count_max || bytes >= limits.bytes_max;
    limits = {limits.from + part->size(), limits.count_max - part->size(),
              limits.bytes_max - bytes};
    std::move(part->begin(), part->end(), std::back_inserter(entries));
    if (last) return entries;
  }
}

// From one file, or from what is not durable yet.
Result<std::vector<LogEntry>> SegmentLog::Impl::read_part(const segment::ReadLimits& limits) {
  segment::ReadRange range;
  {
    std::lock_guard lock(mutex_);
    if (limits.from < segments_.begin()->first) {
      return not_found("offset " + std::to_string(limits.from) +
                       " is no longer kept; the first is " +
                       std::to_string(segments_.begin()->first));
    }
    if (limits.from >= durable_) {
      QIAO_TRY(status());  // what was waiting is lost; what is durable can still be read
      return copy_waiting(limits);
    }
    const Segment& segment = *std::prev(segments_.upper_bound(limits.from))->second;
    range = {segment.path, segment.header.sum, segment.index.find(limits.from), segment.end};
  }
  std::lock_guard lock(read_mutex_);
  QIAO_ASSIGN(DiskFile* const file, reader(range.path));
  return segment::read_entries(*file, range, limits);
}

std::vector<LogEntry> SegmentLog::Impl::copy_waiting(const segment::ReadLimits& limits) const {
  std::vector<LogEntry> entries;
  std::size_t bytes = 0;
  const auto copy = [&](const Batch& batch) { return copy_batch(batch, limits, bytes, entries); };
  if (std::all_of(writing_.begin(), writing_.end(), copy))
    static_cast<void>(std::all_of(waiting_.begin(), waiting_.end(), copy));
  return entries;
}

Result<DiskFile*> SegmentLog::Impl::reader(const std::string& path) {
  if (const auto found = readers_.find(path); found != readers_.end()) return found->second.get();
  if (readers_.size() >= kReadersMax) readers_.clear();
  QIAO_ASSIGN(std::unique_ptr<DiskFile> file, disk_.open(path, OpenMode::kRead));
  return readers_.emplace(path, std::move(file)).first->second.get();
}

// Oldest first, each gone for good before the next: a crash leaves no hole.
Status SegmentLog::Impl::trim(std::uint64_t floor) {
  for (;;) {
    std::string doomed;
    {
      std::lock_guard lock(mutex_);
      QIAO_TRY(status());
      if (segments_.size() < 2 || std::next(segments_.begin())->first > floor) return {};
      doomed = segments_.begin()->second->path;
      segments_.erase(segments_.begin());
    }
    {
      std::lock_guard lock(read_mutex_);
      readers_.erase(doomed);
    }
    QIAO_TRY(disk_.remove(doomed));
    QIAO_TRY(disk_.sync_directory(options_.directory));
  }
}

Status SegmentLog::Impl::save_snapshot(const Snapshot& snapshot) {
  {
    std::lock_guard lock(mutex_);
    QIAO_TRY(status());
    if (snapshot.next_offset > durable_)
      return Error{Code::kPrecondition, "a snapshot may hold only what is durable"};
  }
  return snapshots_.save(snapshot);
}

Result<std::optional<Snapshot>> SegmentLog::Impl::load_snapshot() {
  return snapshots_.load();
}

LogBounds SegmentLog::Impl::bounds() {
  std::lock_guard lock(mutex_);
  return {segments_.begin()->first, next_, durable_};
}

Durability SegmentLog::Impl::durability() const {
  return options_.sync ? Durability::kFsync : Durability::kMemory;
}

Status SegmentLog::Impl::close() {
  const bool closed = [this] {
    std::lock_guard lock(mutex_);
    return std::exchange(closing_, true);
  }();
  if (options_.writer != nullptr && !closed) run();
  wake_.notify_one();
  {
    std::lock_guard lock(close_mutex_);
    if (thread_.joinable()) thread_.join();
  }
  std::lock_guard lock(mutex_);
  return status();
}

Result<std::unique_ptr<SegmentLog>> SegmentLog::open(Disk& disk, SegmentLogOptions options,
                                                     SegmentLogRecovery* recovery) {
  QIAO_ASSIGN(segment::Recovered recovered, segment::recover(disk, options));
  if (recovery != nullptr) *recovery = recovered.report;
  return std::unique_ptr<SegmentLog>(
      new SegmentLog(std::make_unique<Impl>(disk, std::move(options), std::move(recovered))));
}

SegmentLog::SegmentLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SegmentLog::~SegmentLog() = default;

Result<std::uint64_t> SegmentLog::append(std::vector<LogRecord> batch, AppendDone done) {
  return impl_->append(std::move(batch), std::move(done));
}
Result<std::vector<LogEntry>> SegmentLog::read(std::uint64_t from, std::size_t count_max,
                                               std::size_t bytes_max) {
  return impl_->read({from, count_max, bytes_max});
}
Status SegmentLog::trim(std::uint64_t floor) {
  return impl_->trim(floor);
}
Status SegmentLog::save_snapshot(const Snapshot& snapshot) {
  return impl_->save_snapshot(snapshot);
}
Result<std::optional<Snapshot>> SegmentLog::load_snapshot() {
  return impl_->load_snapshot();
}
LogBounds SegmentLog::bounds() const {
  return impl_->bounds();
}
Durability SegmentLog::durability() const {
  return impl_->durability();
}
Status SegmentLog::close() {
  return impl_->close();
}

}  // namespace qiao
