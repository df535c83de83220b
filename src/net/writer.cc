// SPDX-License-Identifier: Apache-2.0
#include "net/writer.h"

#include <utility>

#include "net/connection.h"

namespace qiao::net {

Writer::Writer(std::shared_ptr<Connection> connection, AnswerForm form)
    : connection_(std::move(connection)), form_(form) {}

Writer::~Writer() {
  if (stage_ == Stage::kFresh) {
    respond(500, {{"Content-Type", "application/json"}},
            error_body(internal("the request was not answered: this is a fault of the server")));
  } else if (stage_ == Stage::kStreaming) {
    (void)connection_->send({}, Rest::kCut);
  }
}

void Writer::respond(int status, HttpHeaders headers, std::string body) {
  std::lock_guard lock(mutex_);
  if (stage_ != Stage::kFresh) return;
  stage_ = Stage::kEnded;
  std::string text = response_head(form_, status, headers, body.size());
  if (has_body(form_, status)) text.append(body);
  connection_->answered(status);
  (void)connection_->send(std::move(text), Rest::kLast);
}

void Writer::begin(int status, HttpHeaders headers) {
  std::lock_guard lock(mutex_);
  if (stage_ != Stage::kFresh) return;
  body_ = has_body(form_, status);
  stage_ = Stage::kStreaming;
  connection_->answered(status);
  const auto pushed =
      connection_->send(response_head(form_, status, headers, std::nullopt), Rest::kMore);
  if (pushed != Outbox::Pushed::kGone) return;
  stage_ = Stage::kEnded;
  (void)connection_->send({}, Rest::kCut);
}

Status Writer::write(std::string chunk) {
  std::lock_guard lock(mutex_);
  if (stage_ != Stage::kStreaming)
    return Error{Code::kCancelled, "the answer is not open: it has ended or its reader has left"};
  if (chunk.empty() || !body_) return {};
  switch (connection_->send(form_.http11 ? chunk_text(chunk) : std::move(chunk), Rest::kMore)) {
    case Outbox::Pushed::kGone:
      return Error{Code::kCancelled, "the reader of this answer has left"};
    case Outbox::Pushed::kFull:
      return overloaded("the reader of this answer is too slow: too many bytes wait for it");
    case Outbox::Pushed::kFirst:
    case Outbox::Pushed::kJoined:
      break;
  }
  return {};
}

void Writer::end() {
  std::lock_guard lock(mutex_);
  if (stage_ != Stage::kStreaming) return;
  stage_ = Stage::kEnded;
  finish_stream();
}

void Writer::finish_stream() {
  if (!body_) {
    (void)connection_->send({}, Rest::kLast);
  } else if (form_.http11) {
    (void)connection_->send(std::string(kLastChunk), Rest::kLast);
  } else {
    (void)connection_->send({}, Rest::kCut);  // HTTP/1.0: the end of the connection says it
  }
}

void Writer::on_close(std::function<void()> task) {
  std::lock_guard lock(mutex_);
  if (stage_ != Stage::kEnded) connection_->when_peer_leaves(std::move(task));
}

}  // namespace qiao::net
