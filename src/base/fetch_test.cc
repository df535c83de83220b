// SPDX-License-Identifier: Apache-2.0
#include "base/fetch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

namespace qiao {
namespace {

// Answers each connection with the same bytes, after reading the head of the request.
class OneAnswerServer {
 public:
  explicit OneAnswerServer(std::string answer, int pause_ms = 0)
      : answer_(std::move(answer)), pause_ms_(pause_ms) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, generic, size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    EXPECT_EQ(::getsockname(listener_, generic, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~OneAnswerServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/x"; }
  std::string received() const { return received_; }

 private:
  void serve() {
    for (int peer = -1; (peer = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(peer)) {
      char buffer[4096];
      const ssize_t n = ::recv(peer, buffer, sizeof buffer, 0);
      if (n > 0) received_.assign(buffer, static_cast<std::size_t>(n));
      ::send(peer, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms_));
    }
  }

  std::string answer_;
  int pause_ms_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::string received_;
  std::thread thread_;
};

FetchRequest get(std::string url) {
  FetchRequest request;
  request.url = std::move(url);
  return request;
}

TEST(Fetch, GivesStatusHeadersAndBody) {
  const OneAnswerServer server("HTTP/1.1 404 No\r\nX-Thing: a b\r\nContent-Length: 2\r\n\r\nno");
  const auto response = fetch(get(server.url()));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 404);
  EXPECT_EQ(response->body, "no");
  EXPECT_EQ(response->headers[0], (std::pair<std::string, std::string>{"x-thing", "a b"}));
}

TEST(Fetch, SendsMethodHeadersAndBody) {
  const OneAnswerServer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  FetchRequest request = get(server.url());
  request.method = "PUT";
  request.headers = {{"Authorization", "Bearer k"}};
  request.body = "{}";
  ASSERT_TRUE(fetch(request));
  EXPECT_TRUE(server.received().starts_with("PUT /x HTTP/1.1\r\n"));
  EXPECT_NE(server.received().find("Authorization: Bearer k\r\n"), std::string::npos);
  EXPECT_TRUE(server.received().ends_with("\r\n\r\n{}"));
}

TEST(Fetch, StreamsTheBody) {
  const OneAnswerServer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  FetchRequest request = get(server.url());
  int status = 0;
  std::string seen;
  request.on_head = [&](const FetchResponse& head) {
    status = head.status;
    return true;
  };
  request.on_body = [&](std::string_view chunk) {
    seen += chunk;
    return true;
  };
  const auto response = fetch(request);
  ASSERT_TRUE(response);
  EXPECT_EQ(status, 200);
  EXPECT_EQ(seen, "hello");
  EXPECT_EQ(response->body, "");
  request.on_body = [](std::string_view) { return false; };
  EXPECT_EQ(fetch(request).error().code, Code::kCancelled);
}

TEST(Fetch, HoldsTheBodyBound) {
  const OneAnswerServer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  FetchRequest request = get(server.url());
  request.body_bytes_max = 4;
  const auto response = fetch(request);
  EXPECT_EQ(response.error().code, Code::kUnavailable);
  EXPECT_NE(response.error().message.find("larger than 4"), std::string::npos);
}

TEST(Fetch, DoesNotFollowRedirects) {
  const OneAnswerServer server(
      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(fetch(get(server.url())).value().status, 302);
}

TEST(Fetch, ErrorsHaveTheirClass) {
  EXPECT_EQ(fetch(get("http://127.0.0.1:1/")).error().code, Code::kUnavailable);
  EXPECT_EQ(fetch(get("file:///etc/passwd")).error().code, Code::kInvalidArgument);
  FetchRequest smuggle = get("http://127.0.0.1:1/");
  smuggle.headers = {{"X-A", "1\r\nX-B: 2"}};
  EXPECT_EQ(fetch(smuggle).error().code, Code::kInvalidArgument);
}

TEST(Fetch, EndsAtItsDeadlineAndAtAStop) {
  const OneAnswerServer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", 3'000);
  FetchRequest request = get(server.url());
  request.timeout_ms = 100;
  EXPECT_EQ(fetch(request).error().code, Code::kDeadline);
  request.timeout_ms = 0;
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(fetch(request, stop.get_token()).error().code, Code::kCancelled);
}

// A proxy of the environment is for the outside, not for our own machine.
TEST(Fetch, LoopbackNeedsNoProxy) {
  const OneAnswerServer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  const auto response = fetch(get(server.url()));
  ::unsetenv("http_proxy");
  EXPECT_TRUE(response) << response.error().message;
}

}  // namespace
}  // namespace qiao
