// SPDX-License-Identifier: Apache-2.0
#include "net/connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <exception>
#include <utility>

#include "base/logging.h"
#include "net/writer.h"

namespace qiao::net {
namespace {

using boost::system::error_code;

// After its last answer a connection waits this long, and throws away this much, for the peer to
// close: closing over unread bytes would reset the connection and could destroy the answer.
constexpr std::int64_t kDrainMs = 2'000;
constexpr std::size_t kDrainBytesMax = 16 << 20;
// The same while the server stops.
constexpr std::int64_t kDrainStoppingMs = 100;

// A peer whose machine died is found by unacknowledged data after idle_timeout_ms, or by these
// probes where nothing is written.
void set_options(int fd, std::int64_t idle_timeout_ms) {
  const auto set = [fd](int level, int name, int value) {
    (void)::setsockopt(fd, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT,
      static_cast<int>(std::clamp<std::int64_t>(idle_timeout_ms, 1'000, 600'000)));
}

}  // namespace

Connection::Connection(std::shared_ptr<Core> core, std::shared_ptr<IoThread> thread, Socket socket)
    : core_(std::move(core)), thread_(std::move(thread)), socket_(std::move(socket)) {}

void Connection::open() {
  error_code error;
  socket_.non_blocking(true, error);
  set_options(socket_.native_handle(), core_->options.idle_timeout_ms);
  const auto endpoint = socket_.remote_endpoint(error);
  if (!error) peer_ = endpoint.address().to_string();
  thread_->add(shared_from_this());
}

void Connection::start() {
  open();
  if (core_->stopping) return close();
  set_deadline(core_->options.header_timeout_ms);
  wait_readable();
}

void Connection::refuse() {
  admission_ = Admission::kRefused;
  open();
  answer_fault({503, overloaded("the server has all the connections it may have: retry later")});
  wait_readable();
}

void Connection::finish() {
  keep_alive_ = false;
  if (stage_ != Stage::kAnswer && stage_ != Stage::kDrain) close();
}

void Connection::close() {
  if (stage_ == Stage::kClosed) return;
  stage_ = Stage::kClosed;
  deadline_ms_ = 0;
  error_code ignored;
  socket_.close(ignored);
  in_ = {};
  out_ = {};
  out_at_ = 0;
  if (std::exchange(counted_stream_, false)) --core_->gauges->streams;
  run_later(outbox_.close());
  thread_->remove(shared_from_this());
  core_->connection_closed(admission_);
}

void Connection::on_late() {
  if (stage_ != Stage::kHeader && stage_ != Stage::kBody) return close();
  answer_fault({408, {Code::kDeadline, "the request was not complete in time"}});
}

// Tasks are other people's code, and so is what they own: neither runs inside a call of theirs,
// where they may hold a lock.
void Connection::run_later(Outbox::Tasks tasks) {
  for (auto& task : tasks) thread_->post(std::move(task));
}

void Connection::drop_later(Outbox::Tasks tasks) {
  if (!tasks.empty()) thread_->post([dropped = std::move(tasks)] {});
}

// Reading.

void Connection::wait_readable() {
  if (waits_readable_ || input_ended_ || stage_ == Stage::kClosed) return;
  if (stage_ == Stage::kAnswer && in_.size() - in_at_ >= core_->options.header_bytes_max) return;
  waits_readable_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const error_code& error) {
    self->waits_readable_ = false;
    if (!error) self->on_readable();
  });
}

void Connection::on_readable() {
  if (stage_ == Stage::kClosed) return;
  error_code error;
  const std::size_t bytes = socket_.read_some(boost::asio::buffer(thread_->read_space()), error);
  if (error == boost::asio::error::would_block) return wait_readable();
  if (error) return on_end_of_input(error != boost::asio::error::eof);
  if (stage_ == Stage::kDrain) {
    drained_ += bytes;
    if (drained_ > kDrainBytesMax) return close();
  } else {
    keep(bytes);
    advance();
  }
  wait_readable();
}

void Connection::keep(std::size_t bytes) {
  in_.erase(0, std::exchange(in_at_, 0));
  in_.append(thread_->read_space().data(), bytes);
}

void Connection::on_end_of_input(bool broken) {
  input_ended_ = true;
  if (stage_ != Stage::kAnswer || broken || counted_stream_) return close();
  // The peer may only have closed its sending side: a plain answer is still tried.
  keep_alive_ = false;
  run_later(outbox_.peer_left());
}

// A loop and not a recursion: a handler may answer at once, and 64 KiB hold many requests.
void Connection::advance() {
  if (advancing_) return;
  advancing_ = true;
  while (step()) {
  }
  advancing_ = false;
  if (in_at_ < in_.size()) return;
  in_.clear();
  in_at_ = 0;
  if (stage_ == Stage::kIdle || stage_ == Stage::kAnswer) in_.shrink_to_fit();
}

// One move of the reading side; false when it needs more bytes, or an answer.
bool Connection::step() {
  if (stage_ != Stage::kIdle && stage_ != Stage::kHeader && stage_ != Stage::kBody) return false;
  if (in_at_ == in_.size()) return false;
  if (stage_ == Stage::kIdle) {
    stage_ = Stage::kHeader;
    set_deadline(core_->options.header_timeout_ms);
    reader_ = std::make_unique<RequestReader>(core_->options);
  }
  const Stage before = stage_;
  const std::size_t at_before = in_at_;
  read_request();
  return stage_ != before || in_at_ != at_before;
}

void Connection::read_request() {
  in_at_ += reader_->feed(std::string_view(in_).substr(in_at_));
  switch (reader_->stage()) {
    case RequestReader::Stage::kHeader:
      break;
    case RequestReader::Stage::kBody:
      if (std::exchange(stage_, Stage::kBody) == Stage::kBody) break;
      set_deadline(core_->options.body_timeout_ms);
      if (reader_->expects_continue() && in_at_ == in_.size())
        (void)send("HTTP/1.1 100 Continue\r\n\r\n", Rest::kMore);
      break;
    case RequestReader::Stage::kDone:
      hand_over();
      break;
    case RequestReader::Stage::kFault:
      answer_fault(reader_->fault());
      break;
  }
}

void Connection::hand_over() {
  AnswerForm form = reader_->form();
  keep_alive_ = keep_alive_ && form.keep_alive;
  form.keep_alive = keep_alive_;
  HttpRequest request = reader_->take(peer_);
  reader_.reset();
  stage_ = Stage::kAnswer;
  deadline_ms_ = 0;
  drop_later(outbox_.next_answer());
  auto writer = std::make_shared<Writer>(shared_from_this(), form);
  try {
    core_->handler(std::move(request), std::move(writer));
  } catch (const std::exception& e) {  // the writer answers 500 as it is destroyed
    log_error("net", std::string("a request handler threw: ") + e.what());
  }
}

// By value: the fault may be the reader's, which ends here.
void Connection::answer_fault(HttpFault fault) {
  AnswerForm form;
  if (reader_) form = reader_->form();
  form.keep_alive = keep_alive_ = false;
  const std::string body = error_body(fault.error);
  std::string text =
      response_head(form, fault.status, {{"Content-Type", "application/json"}}, body.size());
  if (has_body(form, fault.status)) text.append(body);
  reader_.reset();
  stage_ = Stage::kAnswer;
  deadline_ms_ = 0;
  drop_later(outbox_.next_answer());
  answered(fault.status);
  (void)send(std::move(text), Rest::kLast);
}

// Writing.

Outbox::Pushed Connection::send(std::string bytes, Rest rest) {
  const auto pushed = outbox_.push(std::move(bytes), rest, core_->options.stream_bytes_max);
  // Weak: a task left in a loop that has ended must not keep the loop alive.
  if (pushed == Outbox::Pushed::kFirst)
    boost::asio::dispatch(thread_->context(), [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->flush();
    });
  return pushed;
}

void Connection::when_peer_leaves(std::function<void()> task) {
  if (!outbox_.keep(task)) thread_->post(std::move(task));
}

void Connection::flush() {
  if (waits_writable_ || stage_ == Stage::kClosed || stage_ == Stage::kDrain) return;
  do {
    if (!write_some()) return;
  } while (refill());
  if (stage_ == Stage::kAnswer) deadline_ms_ = 0;
  if (rest_ != Rest::kMore) finish_answer();
}

bool Connection::refill() {
  Outbox::Taken taken = outbox_.take();
  out_ = std::move(taken.bytes);
  out_at_ = 0;
  rest_ = taken.rest;
  if (stage_ == Stage::kAnswer && taken.streaming && !std::exchange(counted_stream_, true))
    ++core_->gauges->streams;
  return !out_.empty();
}

bool Connection::write_some() {
  while (out_at_ < out_.size()) {
    error_code error;
    const std::size_t bytes = socket_.write_some(boost::asio::buffer(out_) + out_at_, error);
    if (error && error != boost::asio::error::would_block) {
      close();
      return false;
    }
    out_at_ += bytes;
    outbox_.wrote(bytes);
    if (!error) continue;
    if (stage_ == Stage::kAnswer) set_deadline(core_->options.idle_timeout_ms);
    waits_writable_ = true;
    socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const error_code& failed) {
      self->waits_writable_ = false;
      if (!failed) self->flush();
    });
    return false;
  }
  return true;
}

void Connection::finish_answer() {
  if (std::exchange(counted_stream_, false)) --core_->gauges->streams;
  drop_later(outbox_.next_answer());
  if (rest_ == Rest::kCut || !keep_alive_) return drain();
  stage_ = Stage::kIdle;
  set_deadline(core_->options.idle_timeout_ms);
  if (advancing_) return;  // inside the handler: the loop goes on after it
  // The next request is not begun inside a call of the last one's handler.
  if (in_at_ < in_.size()) thread_->post([self = shared_from_this()] { self->advance(); });
  wait_readable();
}

void Connection::drain() {
  stage_ = Stage::kDrain;
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  if (input_ended_) return close();
  in_ = {};
  in_at_ = 0;
  set_deadline(core_->stopping ? kDrainStoppingMs : kDrainMs);
  wait_readable();
}

}  // namespace qiao::net
