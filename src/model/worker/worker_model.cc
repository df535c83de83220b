// SPDX-License-Identifier: Apache-2.0
#include "model/worker/worker_model.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <utility>

#include "base/logging.h"
#include "model/memory_use.h"
#include "model/worker/worker_codec.h"

namespace qiao::model {
namespace {

constexpr std::int64_t kTickMs = 100;  // how often deadlines are looked at
constexpr std::int64_t kPingMs = 2'000;
constexpr std::int64_t kEmbedMs = 600'000;
constexpr std::int64_t kCountMs = 10'000;
// A file that kills its worker while it loads is not tried with people waiting for ever.
constexpr int kFailedLoadsMax = 2;

std::string labels_of(const ModelOptions& options) {
  return "model=\"" + options.name + "\"";
}

Error unreadable(const Error& error) {
  return {Code::kModelFailed, "the model's worker sent what cannot be read: " + error.message};
}

// Turns the handler of a decoded value into one of a frame's body.
template <class T, class Decode>
std::function<void(Result<std::string>)> decoded(std::function<void(Result<T>)> on_done,
                                                 Decode decode) {
  return [on_done = std::move(on_done), decode](Result<std::string> body) {
    if (!body) return on_done(std::move(body.error()));
    Result<T> value = decode(*body);
    if (!value) return on_done(unreadable(value.error()));
    on_done(std::move(value));
  };
}

}  // namespace

WorkerModel::WorkerModel(const ModelOptions& options, const WorkerTimes& times, const Clock& clock,
                         Metrics& metrics)
    : options_(options),
      times_(times),
      clock_(clock),
      restarts_(metrics.counter("qiao_worker_restarts_total", "Workers started again",
                                labels_of(options))),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      backoff_ms_(times.backoff_ms_min) {
  info_.name = options.name;
  info_.kind = options.encoder ? "encoder" : "generator";
  info_.where = "worker";
  info_.context_tokens = options.context_tokens;
  info_.slots = options.slots;
  info_.note = "loading";
  thread_ = std::thread([this] { supervise(); });
}

WorkerModel::~WorkerModel() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ::eventfd_write(wake_, 1);
  thread_.join();
  ::close(wake_);
}

ModelInfo WorkerModel::info() const {
  ModelInfo info;
  {
    const std::lock_guard lock(mutex_);
    info = info_;
  }
  if (const pid_t worker = pid(); worker != 0) info.resident_bytes = resident_bytes(worker);
  return info;
}

Model::RequestId WorkerModel::submit(WorkerRequest request) {
  const auto bytes = request.body.size();
  if (bytes + sizeof(std::uint64_t) > kFrameBytesMax) {
    request.on_done(invalid_argument(who() + ": a request of more than " +
                                     std::to_string(kFrameBytesMax) + " bytes"));
    return 0;
  }
  std::unique_lock lock(mutex_);
  if (open_ >= std::max<std::size_t>(options_.requests_max, 1) ||
      open_bytes_ + bytes > kWaitingBytesMax) {
    lock.unlock();
    request.on_done(overloaded(std::to_string(open_) + " requests are with " + who() +
                               " already: try again later"));
    return 0;
  }
  ++open_;
  open_bytes_ += bytes;
  request.on_done = [this, bytes, on_done = std::move(request.on_done)](Result<std::string> body) {
    --open_;
    open_bytes_ -= bytes;
    on_done(std::move(body));
  };
  const RequestId id = ++last_id_;
  asked_.emplace_back(id, std::move(request));
  lock.unlock();
  ::eventfd_write(wake_, 1);
  return id;
}

Model::RequestId WorkerModel::generate(GenerateRequest request, OnText on_text,
                                       OnGenerated on_done) {
  const auto deadline_us = clock_.steady_us() + request.deadline_ms * 1000;
  return submit({FrameType::kGenerate, encode_request(request), deadline_us, std::move(on_text),
                 decoded<Generated>(std::move(on_done), decode_generated)});
}

void WorkerModel::cancel(RequestId request) {
  {
    const std::lock_guard lock(mutex_);
    if (request == 0 || request > last_id_ || open_ == 0) return;
    cancelled_.push_back(request);
  }
  ::eventfd_write(wake_, 1);
}

void WorkerModel::embed(std::vector<std::string> texts, OnEmbedded on_done) {
  submit_vectors(FrameType::kEmbed, encode_texts(texts), texts.size(), std::move(on_done));
}

void WorkerModel::encode(std::vector<std::vector<std::int32_t>> tokens, OnEmbedded on_done) {
  submit_vectors(FrameType::kEncode, encode_tokens(tokens), tokens.size(), std::move(on_done));
}

void WorkerModel::submit_vectors(FrameType type, std::string body, std::size_t count,
                                 OnEmbedded on_done) {
  const auto decode = [count](std::string_view answer) -> Result<Embeddings> {
    QIAO_ASSIGN(auto vectors, decode_vectors(answer));
    if (vectors.size() == count) return vectors;
    return Error{Code::kCorrupt, "another number of vectors than of texts"};
  };
  submit({type,
          std::move(body),
          clock_.steady_us() + kEmbedMs * 1000,
          {},
          decoded<Embeddings>(std::move(on_done), decode)});
}

Result<std::int32_t> WorkerModel::count_tokens(std::string_view text) {
  if (std::this_thread::get_id() == thread_.get_id()) {
    return Error{Code::kPrecondition, "count_tokens() in a callback of the same model"};
  }
  auto promise = std::make_shared<std::promise<Result<std::uint64_t>>>();
  auto count = promise->get_future();
  submit({FrameType::kCount,
          std::string(text),
          clock_.steady_us() + kCountMs * 1000,
          {},
          decoded<std::uint64_t>(
              [promise](Result<std::uint64_t> number) { promise->set_value(std::move(number)); },
              number_of_bytes)});
  QIAO_ASSIGN(const auto number, count.get());
  return static_cast<std::int32_t>(std::min<std::uint64_t>(number, INT32_MAX));
}

void WorkerModel::supervise() {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
    }
    take_mail();
    if (link_ == nullptr && clock_.steady_us() >= start_at_us_) start();
    if (link_ != nullptr) {
      if (ready_) send_waiting();
      serve();
    }
    std::string ignored;
    book_.end_late(link_ != nullptr ? link_->out() : ignored, clock_.steady_us());
    check_life();
    wait_for_events();
  }
  link_.reset();
  pid_ = 0;
  take_mail();
  book_.end_all(Error{Code::kCancelled, who() + " was closed"});
}

void WorkerModel::send_waiting() {
  const auto now = clock_.steady_us();
  if (!book_.any_sent()) life_us_ = now;  // who had nothing to do did not hang
  book_.send_waiting(link_->out(), now);
}

void WorkerModel::take_mail() {
  std::vector<std::pair<RequestId, WorkerRequest>> asked;
  std::vector<RequestId> cancelled;
  {
    const std::lock_guard lock(mutex_);
    asked.swap(asked_);
    cancelled.swap(cancelled_);
  }
  for (auto& [id, request] : asked) {
    if (refused_) {
      request.on_done(*refused_);
    } else {
      book_.add(id, std::move(request));
    }
  }
  for (const auto id : cancelled) {
    if (book_.cancel(id) && link_ != nullptr) {
      append_frame(link_->out(), FrameType::kCancel, id, {});
    }
  }
}

void WorkerModel::start() {
  if (starts_++ > 0) {
    restarts_.add();
    const std::lock_guard lock(mutex_);
    ++info_.restarts;
  }
  life_us_ = clock_.steady_us();
  auto started = WorkerLink::start(options_);
  if (!started) {
    refuse(started.error());
    return lost("did not start");
  }
  link_ = std::move(*started);
  pid_ = link_->pid();
}

// How long nothing but an event can make a difference; -1: for ever.
int WorkerModel::wait_ms() const {
  if (!book_.empty() || (link_ != nullptr && !ready_)) return static_cast<int>(kTickMs);
  if (ready_) return -1;
  const auto until_start_ms = (start_at_us_ - clock_.steady_us()) / 1000 + 1;
  return static_cast<int>(std::clamp<std::int64_t>(until_start_ms, 0, times_.backoff_ms_max));
}

void WorkerModel::wait_for_events() {
  pollfd events[2] = {{wake_, POLLIN, 0}, {-1, POLLIN, 0}};
  if (link_ != nullptr) {
    events[1].fd = link_->socket();
    if (link_->wants_to_write()) events[1].events |= POLLOUT;
  }
  ::poll(events, 2, wait_ms());
  eventfd_t ignored = 0;
  ::eventfd_read(wake_, &ignored);
}

void WorkerModel::serve() {
  auto frames = link_->exchange();
  if (!frames) return lost(frames.error().message);
  for (auto& frame : *frames) handle(std::move(frame));
}

void WorkerModel::handle(Frame frame) {
  switch (frame.type) {
    case FrameType::kOpened:
      opened(frame);
      break;
    case FrameType::kText:
      life_us_ = clock_.steady_us();
      book_.text(frame.id, frame.body);
      break;
    case FrameType::kDone:
      life_us_ = clock_.steady_us();
      backoff_ms_ = times_.backoff_ms_min;
      book_.end(frame.id, std::move(frame.body));
      break;
    case FrameType::kFailed:
      life_us_ = clock_.steady_us();
      if (frame.id == 0) return refuse(decode_error(frame.body));
      book_.end(frame.id, decode_error(frame.body));
      break;
    case FrameType::kPong: {
      const auto steps = number_of_bytes(frame.body).value_or(0);
      const bool busy = frame.body.size() > sizeof steps && frame.body[sizeof steps] != 0;
      if (!busy || steps != steps_) life_us_ = clock_.steady_us();
      steps_ = steps;
      break;
    }
    default:
      break;  // not what a worker sends
  }
}

void WorkerModel::opened(const Frame& frame) {
  const auto told = decode_info(frame.body);
  if (!told) return;
  life_us_ = clock_.steady_us();
  ready_ = true;
  failed_loads_ = 0;
  refused_.reset();
  log_info("model", who() + " is ready");
  const std::lock_guard lock(mutex_);
  info_.ready = true;
  info_.note.clear();
  info_.kind = told->kind;
  info_.context_tokens = told->context_tokens;
  info_.embedding_size = told->embedding_size;
  info_.slots = told->slots;
}

// The worker, if there was one, is gone.
void WorkerModel::lost(const std::string& why) {
  link_.reset();
  pid_ = 0;
  if (!ready_ && !refused_ && ++failed_loads_ >= kFailedLoadsMax) {
    refuse({Code::kModelFailed, "its worker " + why + " while it loaded " + options_.path});
  }
  ready_ = false;
  start_at_us_ = clock_.steady_us() + backoff_ms_ * 1000;
  const auto next = "the next start is in " + std::to_string(backoff_ms_) + " ms";
  backoff_ms_ = std::min(backoff_ms_ * 2, times_.backoff_ms_max);
  if (!refused_) set_state(false, "its worker " + why + "; " + next);
  log_warn("model", who() + ": its worker " + why + "; " + next);
  book_.worker_lost(why);
}

// The model cannot be opened for now: nobody shall wait for it.
void WorkerModel::refuse(Error error) {
  set_state(false, error.message);
  refused_ = unavailable(who() + " cannot be used: " + error.message);
  book_.end_all(*refused_);
}

void WorkerModel::check_life() {
  if (link_ == nullptr) return;
  const auto now = clock_.steady_us();
  if (!ready_) {
    if (now - life_us_ > times_.load_ms * 1000) {
      lost("did not open its model within " + std::to_string(times_.load_ms / 1000) +
           " s: use a smaller one, or a faster disk");
    }
    return;
  }
  if (!book_.any_sent()) return;
  if (now - life_us_ > times_.hang_ms * 1000) return lost("hung and was killed");
  if (now - ping_us_ < std::min(kPingMs, times_.hang_ms / 4) * 1000) return;
  ping_us_ = now;
  append_frame(link_->out(), FrameType::kPing, 0, {});
}

void WorkerModel::set_state(bool ready, const std::string& note) {
  const std::lock_guard lock(mutex_);
  info_.ready = ready;
  info_.note = note;
}

}  // namespace qiao::model
