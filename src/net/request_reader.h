// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http_server.h"
#include "net/response_text.h"

namespace qiao::net {

// A request that the server answers itself.
struct HttpFault {
  int status = 400;
  Error error;
};

// Reads one request from bytes as they come (Beast's parser behind a wall: it is slow to compile).
//
// Owned by a connection, one per request. One thread at a time. Anything a peer sends ends in
// kDone or kFault; at most header_bytes_max of header (and of any chunk header or trailer) and
// body_bytes_max of body are kept, and memory grows with what has come, not with what was
// announced.
class RequestReader {
 public:
  enum class Stage { kHeader, kBody, kDone, kFault };

  explicit RequestReader(const HttpServerOptions& options);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // Takes what it can from the front of `bytes` and returns how much; the rest must be offered
  // again with what follows. Stops where the header ends. Requires: stage() is kHeader or kBody.
  std::size_t feed(std::string_view bytes);
  [[nodiscard]] Stage stage() const { return stage_; }
  [[nodiscard]] const HttpFault& fault() const { return fault_; }

  // From kBody on: the peer waits for "100 Continue" before it sends the body.
  [[nodiscard]] bool expects_continue() const { return expects_continue_; }
  // From kBody on; before that what is sure to be understood.
  [[nodiscard]] AnswerForm form() const { return form_; }
  // Requires: stage() is kDone. Once.
  HttpRequest take(std::string peer);

 private:
  class Impl;
  void end_header();
  void check_header();
  void fail(int status, Error error);
  void fail_parse(int status, std::string_view reason);

  std::unique_ptr<Impl> impl_;
  const std::size_t header_bytes_max_;
  const std::size_t body_bytes_max_;
  std::size_t header_bytes_ = 0;
  Stage stage_ = Stage::kHeader;
  bool expects_continue_ = false;
  AnswerForm form_;
  HttpRequest request_;
  HttpFault fault_;
};

}  // namespace qiao::net
