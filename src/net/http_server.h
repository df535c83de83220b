// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"

namespace qiao {

struct HttpRequest {
  std::string method;
  std::string path;                            // percent-decoded, without the query
  std::map<std::string, std::string> query;    // decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string peer;  // address of the other side, without the port
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The way back to one request. Thread-safe; calls return at once; after the peer is gone they do
// nothing (write: `cancelled`). Either respond() once, or begin(), any number of write(), end().
// Destroyed unanswered: 500; in the middle of a stream: the connection is cut, so that the peer
// cannot take the part for the whole.
class ResponseWriter {
 public:
  ResponseWriter() = default;
  ResponseWriter(const ResponseWriter&) = delete;
  ResponseWriter& operator=(const ResponseWriter&) = delete;
  virtual ~ResponseWriter() = default;

  virtual void respond(int status, HttpHeaders headers, std::string body) = 0;
  virtual void begin(int status, HttpHeaders headers) = 0;  // chunked
  // Queues a chunk; `overloaded` when `stream_bytes_max` wait for a slow reader.
  virtual Status write(std::string chunk) = 0;
  virtual void end() = 0;
  // Runs `task` once when the peer goes away before the answer has ended (at once if it has gone),
  // on a net thread and never inside a call of this writer. A peer that closes only its sending
  // side counts as gone, though respond() still reaches it. Dropped when the answer ends well.
  virtual void on_close(std::function<void()> task) = 0;
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 7411;  // 0: any
  int threads = 2;
  std::size_t connections_max = 20'000;
  std::size_t header_bytes_max = 16 << 10;
  std::size_t body_bytes_max = 8 << 20;
  std::int64_t header_timeout_ms = 10'000;
  std::int64_t body_timeout_ms = 30'000;
  std::int64_t idle_timeout_ms = 75'000;  // keep-alive; also of a reader that takes nothing
  std::size_t stream_bytes_max = 1 << 20;
};

// HTTP/1.1 on Boost.Beast (RFC 9112). The handler runs on a net thread and must not block: it
// answers through the writer, then or later, from any thread. A stream that waits holds no stack.
// Over a limit the server itself answers: 413, 431, 408, 503.
class HttpServer {
 public:
  using Handler = std::function<void(HttpRequest, std::shared_ptr<ResponseWriter>)>;

  HttpServer(HttpServerOptions options, Handler handler, Metrics& metrics);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Binds, listens, starts the threads. A busy port is `conflict` and names it. Returns the port.
  Result<std::uint16_t> start();
  // Accepts no more, lets running answers finish for `grace_ms`, closes the rest, joins. An open
  // stream is a running answer: end streams first. Not from a net thread.
  void stop(std::int64_t grace_ms);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace qiao
