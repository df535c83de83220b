// SPDX-License-Identifier: Apache-2.0
#include "broker/streams.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/logging.h"

namespace qiao {
namespace {

using Kind = StreamEvent::Kind;

constexpr std::size_t kEventBytes = 16;     // of an event's form, beside its text
constexpr std::int64_t kFullSweepMs = 100;  // no more often, since it looks at all of them

std::size_t size_of(const StreamEvent& event) {
  return event.text.size() + kEventBytes;
}

struct ReaderState {
  Streams::Reader reader;
  StreamPlace next;
};

struct Stream {
  Streams::WriterId writer = 0;  // the newest of this process; 0: none
  std::uint32_t attempt = 0;     // 0: not known yet, nothing is shown
  bool loading = false;          // the log is being asked
  bool ending = false;           // `last` is on its way into the log
  bool ended = false;
  std::vector<StreamEvent> events;  // of the newest attempt, from its opening on
  std::vector<StreamEvent> last;
  std::size_t sealed = 0;  // events in the log, or on their way
  std::size_t unsealed_bytes = 0;
  std::size_t bytes = 0;
  std::int64_t touched_ms = 0;
  std::map<Streams::ReaderId, ReaderState> readers;
};

// A new attempt's opening tells a reader that saw another one; the first attempt's tells nobody.
StreamPlace start_of(const Stream& stream, StreamPlace from) {
  if (from.attempt == stream.attempt) return from;
  if (from.attempt == 0)
    return {stream.attempt, std::max<std::uint64_t>(from.offset, stream.attempt == 1 ? 1 : 0)};
  return {stream.attempt, 0};
}

// Texts that a reader is behind with become one event, named by the last of them.
void deliver(const Stream& stream, ReaderState& reader) {
  if (stream.attempt == 0) return;
  reader.next = start_of(stream, reader.next);
  const bool nothing_left = reader.next.offset >= stream.events.size();
  if (stream.ended && nothing_left && reader.reader.on_ended) reader.reader.on_ended();
  while (reader.next.offset < stream.events.size()) {
    const StreamEvent* event = &stream.events[reader.next.offset++];
    if (event->kind != Kind::kText || reader.next.offset == stream.events.size()) {
      reader.reader.on_event(*event);
      continue;
    }
    StreamEvent joined = *event;
    while (reader.next.offset < stream.events.size() && joined.text.size() < Streams::kPieceBytes) {
      event = &stream.events[reader.next.offset];
      if (event->kind != Kind::kText) break;
      joined.text += event->text;
      joined.offset = event->offset;
      ++reader.next.offset;
    }
    reader.reader.on_event(joined);
  }
}

void deliver_all(Stream& stream) {
  for (auto& [id, reader] : stream.readers) deliver(stream, reader);
}

void add(Stream& stream, StreamEvent event) {
  event.offset = stream.events.size();
  event.attempt = stream.attempt;
  stream.bytes += size_of(event);
  stream.unsealed_bytes += size_of(event);
  stream.events.push_back(std::move(event));
}

record::Chunk chunk_of(const std::string& name, const Stream& stream) {
  record::Chunk chunk;
  chunk.stream = name;
  chunk.first = stream.sealed;
  chunk.attempt = stream.attempt;
  std::vector<StreamEvent> events(
      stream.events.begin() + static_cast<std::ptrdiff_t>(stream.sealed), stream.events.end());
  events.insert(events.end(), stream.last.begin(), stream.last.end());
  chunk.events = encode_events(events);
  return chunk;
}

}  // namespace

class Streams::Impl : public std::enable_shared_from_this<Streams::Impl> {
 public:
  Impl(const Clock& clock, Broker* broker, Executor* loop)
      : clock_(clock), broker_(broker), loop_(loop) {}

  void count_in(Metrics& metrics) {
    metrics.gauge("qiao_streams", "Answers in memory, written or kept", [weak = weak_from_this()] {
      const auto self = weak.lock();
      return self ? static_cast<double>(self->size()) : 0;
    });
    sealed_count_ =
        &metrics.counter("qiao_stream_chunks_total", "Pieces of answers sealed into the log");
  }

  Result<WriterId> begin(const std::string& name);
  Status write(const std::string& name, WriterId writer, StreamEvent event);
  std::optional<record::Chunk> prepare_end(const std::string& name, WriterId writer,
                                           std::vector<StreamEvent> last);
  void show_end(const std::string& name, WriterId writer);
  Result<ReaderId> attach(const std::string& name, StreamPlace from, Reader reader);
  void detach(const std::string& name, ReaderId reader);
  void seal();
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return streams_.size();
  }

 private:
  Result<Stream*> find_or_make(const std::string& name);
  Stream* written_by(const std::string& name, WriterId writer);
  void sweep(bool full);
  void forget(Stream& stream);
  void grow(Stream& stream, StreamEvent event);
  void open(const std::string& name, WriterId writer);
  void opened(const std::string& name, WriterId writer, const Result<std::uint32_t>& attempt);
  void load(const std::string& name);
  void loaded(const std::string& name, Result<StoredStream> stored);
  void seal_later();
  std::vector<record::Chunk> take_chunks();
  void sealed(const std::vector<std::pair<std::string, std::uint64_t>>& from, const Status& status);

  const Clock& clock_;
  Broker* const broker_;  // null: in memory only
  Executor* const loop_;
  Counter* sealed_count_ = nullptr;

  std::mutex mutex_;  // guards everything below; no call of the broker is made under it
  std::unordered_map<std::string, Stream> streams_;
  std::set<std::string> unsealed_;
  std::size_t bytes_ = 0;
  ReaderId last_reader_ = 0;
  WriterId last_writer_ = 0;
  std::int64_t swept_ms_ = 0;
  bool seal_armed_ = false;
  bool seal_runs_ = false;
};

// -- Bounds

Result<Stream*> Streams::Impl::find_or_make(const std::string& name) {
  if (const auto found = streams_.find(name); found != streams_.end()) return &found->second;
  const auto full = [this] { return streams_.size() >= kStreamsMax || bytes_ >= kBytesMax; };
  const std::int64_t since_ms = clock_.wall_ms() - swept_ms_;
  if (since_ms > (full() ? kFullSweepMs : kKeptMs)) sweep(full());
  if (full()) {
    return overloaded("the answers being written reach their bound (" +
                      std::to_string(kStreamsMax) + " or " + std::to_string(kBytesMax >> 20) +
                      " MiB); try again");
  }
  Stream& made = streams_[name];
  made.touched_ms = clock_.wall_ms();
  return &made;
}

// What is finished can be read from the log: it makes room when room is needed.
void Streams::Impl::sweep(bool full) {
  const std::int64_t now = clock_.wall_ms();
  swept_ms_ = now;
  const auto age_max = [&](const Stream& stream) -> std::int64_t {
    if (stream.writer != 0 && !stream.ended) return kAbandonedMs;
    const bool in_log = broker_ != nullptr && stream.ended && stream.sealed == stream.events.size();
    return full && in_log ? -1 : kKeptMs;
  };
  std::erase_if(streams_, [&](const auto& entry) {
    const Stream& stream = entry.second;
    if (!stream.readers.empty() || stream.loading) return false;
    if (now - stream.touched_ms <= age_max(stream)) return false;
    bytes_ -= stream.bytes;
    return true;
  });
}

void Streams::Impl::forget(Stream& stream) {
  bytes_ -= stream.bytes;
  stream.events.clear();
  stream.last.clear();
  stream.bytes = stream.unsealed_bytes = stream.sealed = 0;
  stream.ending = stream.ended = false;
}

void Streams::Impl::grow(Stream& stream, StreamEvent event) {
  const std::size_t before = stream.bytes;
  add(stream, std::move(event));
  bytes_ += stream.bytes - before;
}

Stream* Streams::Impl::written_by(const std::string& name, WriterId writer) {
  const auto found = streams_.find(name);
  return found == streams_.end() || found->second.writer != writer ? nullptr : &found->second;
}

// -- Writing

Result<Streams::WriterId> Streams::Impl::begin(const std::string& name) {
  WriterId writer = 0;
  {
    const std::lock_guard lock(mutex_);
    QIAO_ASSIGN(Stream* const stream, find_or_make(name));
    forget(*stream);
    writer = stream->writer = ++last_writer_;
    stream->touched_ms = clock_.wall_ms();
    stream->attempt = broker_ == nullptr ? stream->attempt + 1 : 0;
    grow(*stream, opening_of(stream->attempt));
    stream->sealed = 1;  // the broker writes the opening
    stream->unsealed_bytes = 0;
    deliver_all(*stream);
  }
  if (broker_ != nullptr) open(name, writer);
  return writer;
}

void Streams::Impl::open(const std::string& name, WriterId writer) {
  broker_->open_stream(
      name, [weak = weak_from_this(), name, writer](const Result<std::uint32_t>& attempt) {
        if (const auto self = weak.lock()) self->opened(name, writer, attempt);
      });
}

void Streams::Impl::opened(const std::string& name, WriterId writer,
                           const Result<std::uint32_t>& attempt) {
  if (!attempt && attempt.error().code == Code::kOverloaded) {
    loop_->post_after(kSealMs, [weak = weak_from_this(), name, writer] {
      if (const auto self = weak.lock()) self->open(name, writer);
    });
    return;
  }
  const std::lock_guard lock(mutex_);
  Stream* const stream = written_by(name, writer);
  if (stream == nullptr) return;
  if (!attempt) return log_debug("streams", "an answer is not shown: " + attempt.error().message);
  stream->attempt = *attempt;
  StreamEvent opening = opening_of(*attempt);
  stream->events.front().data = std::move(opening.data);
  for (StreamEvent& event : stream->events) event.attempt = *attempt;
  deliver_all(*stream);
  if (stream->ended || stream->sealed == stream->events.size()) return;
  unsealed_.insert(name);
  seal_later();
}

Status Streams::Impl::write(const std::string& name, WriterId writer, StreamEvent event) {
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    Stream* const stream = written_by(name, writer);
    if (stream == nullptr) return Error{Code::kConflict, "another attempt writes the answer"};
    if (stream->ended) return Error{Code::kPrecondition, "the stream has ended"};
    if (stream->bytes + event.text.size() > kStreamBytesMax + kEventBytes &&
        event.kind != Kind::kEnd)
      return overloaded("an answer is longer than " + std::to_string(kStreamBytesMax) + " bytes");
    stream->ended = event.kind == Kind::kEnd;
    stream->touched_ms = clock_.wall_ms();
    grow(*stream, std::move(event));
    deliver_all(*stream);
    if (broker_ == nullptr || stream->attempt == 0) return {};
    unsealed_.insert(name);
    full = stream->unsealed_bytes >= kSealBytes || stream->ended;
    if (!full) seal_later();
  }
  if (full) seal();
  return {};
}

std::optional<record::Chunk> Streams::Impl::prepare_end(const std::string& name, WriterId writer,
                                                        std::vector<StreamEvent> last) {
  const std::lock_guard lock(mutex_);
  Stream* const stream = written_by(name, writer);
  if (stream == nullptr || stream->ended) return std::nullopt;
  stream->last = std::move(last);
  stream->ending = true;
  if (broker_ == nullptr) return std::nullopt;
  return chunk_of(name, *stream);
}

void Streams::Impl::show_end(const std::string& name, WriterId writer) {
  const std::lock_guard lock(mutex_);
  Stream* const stream = written_by(name, writer);
  if (stream == nullptr || !stream->ending) return;
  for (StreamEvent& event : std::exchange(stream->last, {})) grow(*stream, std::move(event));
  stream->ending = false;
  stream->ended = true;
  stream->sealed = stream->events.size();
  stream->unsealed_bytes = 0;
  stream->touched_ms = clock_.wall_ms();
  deliver_all(*stream);
}

// -- Sealing: one batch at a time, so that a refused one is put together again

void Streams::Impl::seal_later() {
  if (seal_armed_ || seal_runs_) return;
  seal_armed_ = true;
  loop_->post_after(kSealMs, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    {
      const std::lock_guard lock(self->mutex_);
      self->seal_armed_ = false;
    }
    self->seal();
  });
}

std::vector<record::Chunk> Streams::Impl::take_chunks() {
  std::vector<record::Chunk> chunks;
  for (const std::string& name : std::exchange(unsealed_, {})) {
    const auto found = streams_.find(name);
    if (found == streams_.end()) continue;
    Stream& stream = found->second;
    if (stream.ending || stream.attempt == 0 || stream.sealed == stream.events.size()) continue;
    chunks.push_back(chunk_of(name, stream));
    stream.sealed = stream.events.size();
    stream.unsealed_bytes = 0;
  }
  return chunks;
}

void Streams::Impl::seal() {
  std::vector<record::Chunk> chunks;
  {
    const std::lock_guard lock(mutex_);
    if (broker_ == nullptr || seal_runs_) return;
    chunks = take_chunks();
    seal_runs_ = !chunks.empty();
  }
  if (chunks.empty()) return;
  std::vector<std::pair<std::string, std::uint64_t>> from;
  for (const record::Chunk& chunk : chunks) from.emplace_back(chunk.stream, chunk.first);
  if (sealed_count_ != nullptr) sealed_count_->add(chunks.size());
  broker_->append_chunks(std::move(chunks), [weak = weak_from_this(), from](const Status& status) {
    if (const auto self = weak.lock()) self->sealed(from, status);
  });
}

void Streams::Impl::sealed(const std::vector<std::pair<std::string, std::uint64_t>>& from,
                           const Status& status) {
  const std::lock_guard lock(mutex_);
  seal_runs_ = false;
  if (!status && status.error().code == Code::kOverloaded) {
    for (const auto& [name, first] : from) {
      const auto found = streams_.find(name);
      if (found == streams_.end()) continue;
      found->second.sealed = std::min<std::size_t>(found->second.sealed, first);
      unsealed_.insert(name);
    }
  }
  if (!unsealed_.empty()) seal_later();
}

// -- Reading

Result<Streams::ReaderId> Streams::Impl::attach(const std::string& name, StreamPlace from,
                                                Reader reader) {
  bool fresh = false;
  ReaderId id = 0;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t before = streams_.size();
    QIAO_ASSIGN(Stream* const stream, find_or_make(name));
    fresh = streams_.size() > before;
    stream->touched_ms = clock_.wall_ms();
    id = ++last_reader_;
    ReaderState& state = stream->readers[id];
    state = {std::move(reader), from};
    deliver(*stream, state);
    if (fresh && broker_ != nullptr) stream->loading = true;
    const bool unwritten = stream->writer == 0 && !stream->ended && !stream->loading;
    if (unwritten && state.reader.on_unwritten) state.reader.on_unwritten();
  }
  if (fresh && broker_ != nullptr) load(name);
  return id;
}

void Streams::Impl::load(const std::string& name) {
  broker_->read_stream(name, [weak = weak_from_this(), name](Result<StoredStream> stored) {
    if (const auto self = weak.lock()) self->loaded(name, std::move(stored));
  });
}

void Streams::Impl::loaded(const std::string& name, Result<StoredStream> stored) {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(name);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  stream.loading = false;
  if (stream.writer != 0) return;  // another attempt has begun meanwhile
  if (stored) {
    stream.attempt = stored->attempt;
    stream.ended = stored->ended;
    for (StreamEvent& event : stored->events) grow(stream, std::move(event));
    stream.sealed = stream.events.size();
    stream.unsealed_bytes = 0;
    deliver_all(stream);
  }
  if (stream.ended) return;
  for (auto& [id, state] : stream.readers)
    if (state.reader.on_unwritten) state.reader.on_unwritten();
}

void Streams::Impl::detach(const std::string& name, ReaderId reader) {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(name);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  stream.readers.erase(reader);
  // Nothing was ever written: there is nothing to keep for the next reader.
  if (stream.readers.empty() && stream.writer == 0 && stream.events.empty() && !stream.loading)
    streams_.erase(found);
}

// -- The public face

Streams::Streams(const Clock& clock) : impl_(std::make_shared<Impl>(clock, nullptr, nullptr)) {}
Streams::Streams(const Clock& clock, Broker& broker, Executor& loop, Metrics& metrics)
    : impl_(std::make_shared<Impl>(clock, &broker, &loop)) {
  impl_->count_in(metrics);
}
Streams::~Streams() = default;

Result<Streams::WriterId> Streams::begin(const std::string& stream) {
  return impl_->begin(stream);
}
Status Streams::write(const std::string& stream, WriterId writer, StreamEvent event) {
  return impl_->write(stream, writer, std::move(event));
}
std::optional<record::Chunk> Streams::prepare_end(const std::string& stream, WriterId writer,
                                                  std::vector<StreamEvent> last) {
  return impl_->prepare_end(stream, writer, std::move(last));
}
void Streams::show_end(const std::string& stream, WriterId writer) {
  impl_->show_end(stream, writer);
}
Result<Streams::ReaderId> Streams::attach(const std::string& stream, StreamPlace from,
                                          Reader reader) {
  return impl_->attach(stream, from, std::move(reader));
}
void Streams::detach(const std::string& stream, ReaderId reader) {
  impl_->detach(stream, reader);
}
void Streams::flush() {
  impl_->seal();
}

}  // namespace qiao
