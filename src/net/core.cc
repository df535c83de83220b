// SPDX-License-Identifier: Apache-2.0
#include "net/core.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace qiao::net {
namespace {

constexpr std::string_view kRequestsHelp = "Answered HTTP requests by class of status";

// Connections that are being told 503 at one time.
constexpr std::size_t kRefusedOpenMax = 256;

std::array<Counter*, 4> class_counters(Metrics& metrics) {
  std::array<Counter*, 4> counters{};
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const std::string labels = "class=\"" + std::to_string(i + 2) + "xx\"";
    counters[i] = &metrics.counter("qiao_http_requests_total", kRequestsHelp, labels);
  }
  return counters;
}

}  // namespace

Core::Core(HttpServerOptions given, HttpServer::Handler then, Metrics& metrics)
    : options(std::move(given)),
      handler(std::move(then)),
      gauges(std::make_shared<Gauges>()),
      by_class_(class_counters(metrics)),
      refused_(metrics.counter("qiao_http_refused_total",
                               "Connections refused because connections_max were open")) {
  metrics.gauge("qiao_http_connections", "Open HTTP connections",
                [all = gauges] { return static_cast<double>(all->connections.load()); });
  metrics.gauge("qiao_http_streams", "Open HTTP streams",
                [all = gauges] { return static_cast<double>(all->streams.load()); });
}

void Core::answered(int status) {
  by_class_[static_cast<std::size_t>(std::clamp(status / 100, 2, 5) - 2)]->add();
}

Admission Core::admit() {
  if (gauges->connections.fetch_add(1) < options.connections_max) return Admission::kWelcome;
  connection_closed(Admission::kWelcome);
  refused_.add();
  if (refused_open_.fetch_add(1) < kRefusedOpenMax) return Admission::kRefused;
  --refused_open_;
  return Admission::kDropped;
}

void Core::connection_closed(Admission admission) {
  if (admission == Admission::kRefused) --refused_open_;
  if (admission != Admission::kWelcome || gauges->connections.fetch_sub(1) != 1) return;
  std::lock_guard lock(mutex_);  // so that a waiter is either before its test or asleep
  none_open_.notify_all();
}

bool Core::wait_until_none_open(std::int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  return none_open_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                             [this] { return gauges->connections.load() == 0; });
}

}  // namespace qiao::net
