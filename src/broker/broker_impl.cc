// SPDX-License-Identifier: Apache-2.0
// Recovery, the loop's intake, append and release, snapshots, the end.
#include "broker/broker_impl.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/logging.h"
#include "base/random.h"
#include "message/subject.h"

namespace qiao {
namespace {

constexpr std::size_t kRecoverCount = 4'096;
constexpr std::size_t kRecoverBytes = 16 << 20;
// Consumers of this process: what they held before a restart is free at once.
constexpr std::string_view kLocalConsumers = "flow/";
constexpr std::int64_t kPostAgainMs = 1;
constexpr std::chrono::seconds kStopMax{30};
// A snapshot is as large as the state: at least one record per this many bytes between two.
constexpr std::size_t kSnapshotBytesPerRecord = 64;

Error lost(const std::string& what) {
  return {Code::kCorrupt, what + "; restore the log's directory from a copy"};
}

}  // namespace

Broker::Impl::Impl(Log& log, Executor& loop, const Clock& clock, IdMaker& ids, Metrics& metrics,
                   BrokerOptions options)
    : log_(log),
      loop_(loop),
      clock_(clock),
      ids_(ids),
      options_(options),
      state_(options.dedupe_ids_max, random_seed()),
      time_(clock),
      bodies_(options.body_cache_bytes),
      published_count_(metrics.counter("qiao_published_total", "Messages stored")),
      duplicate_count_(
          metrics.counter("qiao_duplicates_total", "Messages whose id was stored before")),
      delivered_count_(metrics.counter("qiao_delivered_total", "Messages leased to consumers")),
      acked_count_(metrics.counter("qiao_acked_total", "Messages acked in groups")),
      nacked_count_(metrics.counter("qiao_nacked_total", "Messages given back")),
      expired_count_(metrics.counter("qiao_expired_total", "Leases that ran out")),
      late_count_(
          metrics.counter("qiao_late_total", "Messages past their deadline, not delivered")),
      dead_count_(metrics.counter("qiao_dead_letters_total", "Messages given up")),
      busy_count_(metrics.counter("qiao_busy_refused_total",
                                  "Publishes refused because their conversation was at work")),
      superseded_count_(
          metrics.counter("qiao_superseded_total", "Leases ended by a newer message")),
      overloaded_count_(
          metrics.counter("qiao_overloaded_total", "Calls refused because a bound was reached")),
      late_reply_count_(metrics.counter("qiao_late_replies_total",
                                        "Answers to requests that had ended: dropped")),
      receipt_count_(metrics.counter("qiao_receipts_total", "Receipts of steps stored")),
      removed_count_(
          metrics.counter("qiao_removed_total", "Messages that retention or compaction removed")) {}

Broker::Impl::~Impl() {
  if (snapshot_thread_.joinable()) snapshot_thread_.join();
}

// -- Recovery

Status Broker::Impl::recover() {
  QIAO_TRY(restore_snapshot());
  QIAO_TRY(replay(log_.bounds().next));
  durable_ = next_;
  begin_steady_ms_ = clock_.steady_us() / 1'000;
  begin_ms_ = std::max(clock_.wall_ms(), state_.time_ms());
  time_.not_before(state_.last_ms());
  snapshot_at_ = next_ + options_.snapshot_every;
  if (!state_.topic_specs().empty()) arm_keep(kKeepEveryMs);
  QIAO_TRY(free_local_leases());
  post(&Impl::on_timer);  // leases go on running out
  return {};
}

Status Broker::Impl::restore_snapshot() {
  const LogBounds bounds = log_.bounds();
  QIAO_ASSIGN(const std::optional<Snapshot> snapshot, log_.load_snapshot());
  if (snapshot && snapshot->next_offset > bounds.next) {
    return lost("the newest snapshot knows " + std::to_string(snapshot->next_offset) +
                " records, the log has only " + std::to_string(bounds.next));
  }
  if (!snapshot || snapshot->next_offset < bounds.first) {
    next_ = bounds.first;
    if (bounds.first > 0) return lost("the log was trimmed and its snapshot is missing");
    return {};
  }
  QIAO_TRY(state_.restore(snapshot->bytes));
  next_ = snapshot->next_offset;
  snapshot_before_ = next_;
  return {};
}

Status Broker::Impl::replay(std::uint64_t end) {
  while (next_ < end) {
    QIAO_ASSIGN(const std::vector<LogEntry> entries,
                log_.read(next_, kRecoverCount, kRecoverBytes));
    if (entries.empty()) return lost("record " + std::to_string(next_) + " is missing");
    for (const LogEntry& entry : entries) {
      QIAO_ASSIGN(const Record record, decode_record(entry.record));
      state_.apply(entry.offset, record);
    }
    next_ = entries.back().offset + 1;
  }
  return {};
}

Status Broker::Impl::free_local_leases() {
  Changes changes;
  const std::int64_t now = now_ms();
  for (const auto& [name, group] : state_.groups()) {
    for (const std::uint64_t offset : group.leased_by(kLocalConsumers))
      changes.rest.emplace_back(
          record::Nacked{now, name, offset, 0, false, "the server restarted"});
  }
  if (changes.rest.empty()) return {};
  const auto appended = append(std::move(changes), {});
  return appended ? Status() : Status(appended.error());
}

// -- Intake

void Broker::Impl::submit(Call call, Bound bound) {
  std::optional<Error> refused;
  bool first = false;
  {
    std::lock_guard lock(submit_mutex_);
    if (stopping_) {
      refused = unavailable("the broker is stopping");
    } else if (bound != Bound::kAlways && submitted_.size() >= options_.commands_max) {
      overloaded_count_.add();
      refused = overloaded(std::to_string(options_.commands_max) +
                           " calls wait for the broker; try again");
    } else {
      first = submitted_.empty();
      submitted_.push_back({std::move(call), bound});
    }
  }
  if (refused) return call(&*refused);
  if (first) post(&Impl::run_submitted);
}

// A loop with no room now has room later: what was accepted is not lost.
void Broker::Impl::post(void (Impl::*task)()) {
  const auto run = [weak = weak_from_this(), task] {
    if (const auto self = weak.lock()) (*self.*task)();
  };
  const Status posted = loop_.post(run);
  if (!posted && posted.error().code == Code::kOverloaded) loop_.post_after(kPostAgainMs, run);
}

void Broker::Impl::run_submitted() {
  {
    std::lock_guard lock(submit_mutex_);
    running_.swap(submitted_);
  }
  for (auto& [call, bound] : running_) {
    call(failed_ && bound != Bound::kReads ? &*failed_ : nullptr);
    call = nullptr;
  }
  running_.clear();
}

// -- Append and release

Result<std::uint64_t> Broker::Impl::append(Changes changes, Release release) {
  if (failed_) return *failed_;
  std::vector<LogRecord> batch;
  batch.reserve(changes.publish.size() + changes.rest.size());
  for (const MessagePtr& message : changes.publish) batch.push_back(encode_published(*message));
  for (const Record& record : changes.rest) batch.push_back(encode(record));
  const std::size_t count = batch.size();
  auto done = [weak = weak_from_this()](const Status& status) {
    if (const auto self = weak.lock()) self->on_durable(status);
  };
  QIAO_ASSIGN(const std::uint64_t first, log_.append(std::move(batch), std::move(done)));
  std::uint64_t offset = first;
  for (const MessagePtr& message : changes.publish) {
    state_.apply_published(offset, *message);
    bodies_.insert(offset++, message);
  }
  note_removals(offset, changes.rest);
  for (const Record& record : changes.rest) state_.apply(offset++, record);
  next_ = first + count;
  if (!joiners_.empty()) end_joiners(changes.rest);
  if (!state_.topic_specs().empty()) arm_keep(kKeepEveryMs);
  if (release || !changes.publish.empty())
    pending_.push_back({first, next_, std::move(changes.publish), std::move(release)});
  return first;
}

void Broker::Impl::note_removals(std::uint64_t first, const std::vector<Record>& records) {
  for (const Record& record : records) {
    ++first;
    const auto* removed = std::get_if<record::Removed>(&record);
    if (removed != nullptr && !removed->offsets.empty())
      removals_.push_back({first, removed->topic, removed->offsets.back()});
  }
}

bool Broker::Impl::awaits_removal(const std::string& pattern, std::uint64_t from) const {
  return std::any_of(removals_.begin(), removals_.end(), [&](const Removal& removal) {
    return removal.last >= from && (removal.topic.empty() || matches(pattern, removal.topic));
  });
}

void Broker::Impl::when_durable(Release release) {
  if (durable_ >= next_) return release({});
  pending_.push_back({next_, next_, {}, std::move(release)});
}

// On the log's thread: many batches become one task of the loop.
void Broker::Impl::on_durable(const Status& status) {
  {
    std::lock_guard lock(durable_mutex_);
    if (!status && durable_status_) durable_status_ = status;
    if (durable_posted_) return;
    durable_posted_ = true;
  }
  post(&Impl::drain_durable);
}

void Broker::Impl::drain_durable() {
  Status status;
  {
    std::lock_guard lock(durable_mutex_);
    durable_posted_ = false;
    status = durable_status_;
  }
  if (!status) return fail(status.error());
  durable_ = log_.bounds().durable;
  while (!removals_.empty() && removals_.front().end <= durable_) removals_.pop_front();
  release_pending();
  if (options_.on_progress) options_.on_progress();
  for (auto waiting = waiters_.begin(); waiting != waiters_.end();) {
    const std::string group = waiting->first;
    ++waiting;  // serve() may erase its own
    serve(group);
  }
  maybe_snapshot();
}

void Broker::Impl::release_pending() {
  while (!pending_.empty() && pending_.front().end <= durable_) {
    const Pending pending = std::move(pending_.front());
    pending_.pop_front();
    published_count_.add(pending.publish.size());
    if (pending.release) pending.release({});
    std::uint64_t offset = pending.first;
    for (const MessagePtr& message : pending.publish) release_message(offset++, *message);
  }
}

void Broker::Impl::fail(const Error& error) {
  if (failed_) return;
  {
    std::lock_guard lock(submit_mutex_);
    failed_ = error;
  }
  log_error("broker", "the log failed, nothing more is accepted: " + error.message);
  std::deque<Pending> pending;
  pending.swap(pending_);
  for (const Pending& entry : pending) {
    if (entry.release) entry.release(Status(error));
  }
  answer_all(error);
}

// Everybody who waits for something that will not come.
void Broker::Impl::answer_all(const Error& error) {
  for (const auto& [group, waiting] : waiters_) {
    for (const Waiter& waiter : waiting) {
      loop_.cancel(waiter.timer);
      waiter.done(error);
    }
  }
  waiters_.clear();
  while (!joiners_.empty()) end_joiner(LeaseName(joiners_.begin()->first), error);
  for (const auto& [inbox, request] : requests_) {
    loop_.cancel(request.timer);
    request.done(error);
  }
  requests_.clear();
  request_inboxes_.clear();
  if (timer_) loop_.cancel(timer_->first);
  timer_.reset();
  if (keep_timer_) loop_.cancel(keep_timer_->first);
  keep_timer_.reset();
}

Result<Broker::Impl::MessagePtr> Broker::Impl::body(std::uint64_t offset) {
  if (MessagePtr cached = bodies_.find(offset)) return cached;
  QIAO_ASSIGN(const std::vector<LogEntry> entries, log_.read(offset, 1, 1));
  if (entries.empty()) return not_found("message " + std::to_string(offset) + " is not in the log");
  QIAO_ASSIGN(Record record, decode_record(entries.front().record));
  auto* published = std::get_if<record::Published>(&record);
  if (published == nullptr) return not_found("record " + std::to_string(offset) + " is no message");
  auto message = std::make_shared<const Message>(std::move(published->message));
  bodies_.insert(offset, message);
  return message;
}

// -- Snapshots and the end

void Broker::Impl::maybe_snapshot() {
  if (next_ < snapshot_at_ || snapshot_runs_ || finished_) return;
  snapshot([](const Status& status) {
    if (!status) log_warn("broker", "a snapshot failed: " + status.error().message);
  });
}

// What is below the floor is needed neither by the state, nor by others, nor for the way from the
// snapshot before to the end of the log, should the new one be damaged.
Broker::Impl::TakenSnapshot Broker::Impl::take_snapshot() const {
  if (state_.topic_specs().empty()) return {{next_, state_.save()}, 0};  // all is kept
  std::uint64_t floor = std::min(state_.first_needed(next_), snapshot_before_);
  if (options_.needed_from) floor = std::min(floor, options_.needed_from());
  return {{next_, state_.save()}, floor};
}

Status Broker::Impl::save_and_trim(Log& log, const TakenSnapshot& taken) {
  QIAO_TRY(log.save_snapshot(taken.snapshot));
  return log.trim(taken.floor);
}

// The state of now, written when all it knows is durable.
void Broker::Impl::snapshot(const Done<void>& done) {
  if (snapshot_runs_) return done(overloaded("a snapshot is being written; try again"));
  snapshot_runs_ = true;
  auto taken = std::make_shared<TakenSnapshot>(take_snapshot());
  snapshot_at_ =
      next_ + std::max<std::uint64_t>(options_.snapshot_every,
                                      taken->snapshot.bytes.size() / kSnapshotBytesPerRecord);
  when_durable([this, taken, done](Status status) {
    if (status) return write_snapshot(std::move(*taken), done);
    snapshot_runs_ = false;
    done(std::move(status));
  });
}

// Not on the loop: a large one takes seconds.
void Broker::Impl::write_snapshot(TakenSnapshot taken, const Done<void>& done) {
  auto write = [&log = log_, &loop = loop_, weak = weak_from_this(), done,
                taken = std::move(taken)] {
    const Status saved = save_and_trim(log, taken);
    const auto finish = [weak, done, saved, next = taken.snapshot.next_offset] {
      if (const auto self = weak.lock()) {
        self->snapshot_runs_ = false;
        if (saved) self->snapshot_before_ = next;
      }
      done(saved);
    };
    if (!loop.post(finish)) loop.post_after(kPostAgainMs, finish);
  };
  if (Executor* const writer = options_.snapshot_writer) {
    if (!writer->post(write)) writer->post_after(kPostAgainMs, std::move(write));
    return;
  }
  if (snapshot_thread_.joinable()) snapshot_thread_.join();  // it has posted its end: no wait
  snapshot_thread_ = std::thread(std::move(write));
}

// On the loop: answers what waits and gives a last snapshot when all is durable.
void Broker::Impl::finish(const std::function<void(std::optional<TakenSnapshot>)>& done) {
  finished_ = true;
  answer_all(unavailable("the broker is stopping"));
  subscription_tree_ = {};
  subscriptions_.clear();
  if (failed_) return done(std::nullopt);
  auto last = std::make_shared<TakenSnapshot>(take_snapshot());
  when_durable(
      [last, done](const Status& status) { status ? done(std::move(*last)) : done(std::nullopt); });
}

std::optional<Error> Broker::Impl::failure() const {
  std::lock_guard lock(submit_mutex_);
  return failed_;
}

bool Broker::Impl::begin_stop() {
  std::lock_guard lock(submit_mutex_);
  return !std::exchange(stopping_, true);
}

void Broker::Impl::save_last(const TakenSnapshot& taken) {
  if (const Status saved = save_and_trim(log_, taken); !saved)
    log_warn("broker", "the last snapshot failed: " + saved.error().message);
}

void Broker::Impl::stop() {
  if (!begin_stop()) return;
  auto last = std::make_shared<std::promise<std::optional<TakenSnapshot>>>();
  std::future<std::optional<TakenSnapshot>> future = last->get_future();
  const Status posted = loop_.post([self = shared_from_this(), last] {
    self->finish([last](std::optional<TakenSnapshot> taken) { last->set_value(std::move(taken)); });
  });
  if (!posted || future.wait_for(kStopMax) != std::future_status::ready) return;
  if (snapshot_thread_.joinable()) snapshot_thread_.join();
  if (const std::optional<TakenSnapshot> taken = future.get()) save_last(*taken);
}

void Broker::Impl::stop(std::function<void()> stopped) {
  if (!begin_stop()) return stopped();
  finish(
      [weak = weak_from_this(), stopped = std::move(stopped)](std::optional<TakenSnapshot> taken) {
        const auto self = weak.lock();
        if (self && taken) self->save_last(*taken);
        stopped();
      });
}

}  // namespace qiao
