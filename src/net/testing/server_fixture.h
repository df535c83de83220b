// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/metrics.h"
#include "net/http_server.h"
#include "net/testing/raw_peer.h"

namespace qiao::net {

// A server whose handler hands the requests to the test.
class HttpServerTest : public testing::Test {
 protected:
  using Writer = std::shared_ptr<ResponseWriter>;

  void start() {
    server_.emplace(
        options_,
        [this](HttpRequest request, Writer writer) {
          handler_(std::move(request), std::move(writer));
        },
        metrics_);
    const auto port = server_->start();
    ASSERT_TRUE(port) << port.error().message;
    port_ = *port;
  }

  // Answers "/echo…" with the body at once; keeps all others for next_writer().
  void default_handler(HttpRequest request, Writer writer) {
    if (request.path.starts_with("/echo")) return writer->respond(200, {}, request.body);
    std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
    writers_.push_back(std::move(writer));
    arrived_.notify_all();
  }

  Writer next_writer() {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, std::chrono::seconds(5), [&] { return !writers_.empty(); });
    if (writers_.empty()) return nullptr;
    Writer writer = std::move(writers_.front());
    writers_.erase(writers_.begin());
    return writer;
  }

  std::size_t waiting_requests() {
    std::lock_guard lock(mutex_);
    return writers_.size();
  }

  static bool wait_for(const std::function<bool()>& condition) {
    for (int i = 0; i < 5'000 && !condition(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return condition();
  }

  static std::string get(const std::string& path, const std::string& headers = {}) {
    return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
  }
  static std::string post(const std::string& path, const std::string& body) {
    return "POST " + path +
           " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
  }
  static void expect_error(const RawPeer::Response& response, int status, std::string_view code) {
    EXPECT_EQ(response.status, status) << response.head;
    const auto body = parse_json(response.body);
    ASSERT_TRUE(body) << response.body;
    EXPECT_EQ((*body)["error"]["code"], code);
    EXPECT_TRUE((*body)["error"]["number"].is_number_integer());
    EXPECT_FALSE((*body)["error"]["message"].get<std::string>().empty());
  }
  double metric(const std::string& line) {
    const std::string text = metrics_.text();
    const std::size_t at = text.find("\n" + line + " ");
    return at == std::string::npos ? -1 : std::atof(text.c_str() + at + line.size() + 2);
  }

  HttpServerOptions options_ = [] {
    HttpServerOptions options;
    options.port = 0;
    return options;
  }();
  Metrics metrics_;
  std::uint16_t port_ = 0;
  std::function<void(HttpRequest, Writer)> handler_ = [this](HttpRequest request, Writer writer) {
    default_handler(std::move(request), std::move(writer));
  };
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<HttpRequest> requests_;
  std::vector<Writer> writers_;
  std::optional<HttpServer> server_;  // destroyed first: its threads call the handler
};

}  // namespace qiao::net
