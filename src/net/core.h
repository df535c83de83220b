// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/metrics.h"
#include "net/http_server.h"

namespace qiao::net {

// Shared with the server's gauges, which outlive it.
struct Gauges {
  std::atomic<std::size_t> connections{0};
  std::atomic<std::int64_t> streams{0};
};

enum class Admission {
  kWelcome,
  kRefused,  // connections_max are open: it gets 503
  kDropped,  // and so many get that answer that this one gets none
};

// What all connections of one server share. Owned by whoever still needs it: the server, its
// connections, writers in handlers' hands. Thread-safe.
class Core {
 public:
  Core(HttpServerOptions options, HttpServer::Handler handler, Metrics& metrics);

  // Counts an answer by the class of its status.
  void answered(int status);
  // Counts a newcomer in.
  Admission admit();
  void connection_closed(Admission admission);
  // True when none is open within `timeout_ms`.
  bool wait_until_none_open(std::int64_t timeout_ms);

  const HttpServerOptions options;
  const HttpServer::Handler handler;
  const std::shared_ptr<Gauges> gauges;
  std::atomic<bool> stopping{false};

 private:
  std::array<Counter*, 4> by_class_;  // 2xx … 5xx
  Counter& refused_;
  std::mutex mutex_;
  std::condition_variable none_open_;
  std::atomic<std::size_t> refused_open_{0};
};

}  // namespace qiao::net
