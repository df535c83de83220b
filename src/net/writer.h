// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "net/http_server.h"
#include "net/response_text.h"

namespace qiao::net {

class Connection;

// The ResponseWriter of one request: puts the answer into HTTP's form on the caller's thread and
// pushes it into the connection's outbox. Owned by the handler. Thread-safe. Destroyed in the
// middle of a stream it cuts the connection, so that the peer cannot take the part for the whole.
class Writer final : public ResponseWriter {
 public:
  Writer(std::shared_ptr<Connection> connection, AnswerForm form);
  ~Writer() override;

  void respond(int status, HttpHeaders headers, std::string body) override;
  void begin(int status, HttpHeaders headers) override;
  Status write(std::string chunk) override;
  void end() override;
  void on_close(std::function<void()> task) override;

 private:
  enum class Stage { kFresh, kStreaming, kEnded };

  void finish_stream();  // under mutex_

  const std::shared_ptr<Connection> connection_;
  const AnswerForm form_;
  std::mutex mutex_;
  Stage stage_ = Stage::kFresh;
  bool body_ = true;  // of a stream: its status and method allow one
};

}  // namespace qiao::net
