// SPDX-License-Identifier: Apache-2.0
// Requests in, answers out, the server's start and stop. Limits: http_limits_test.cc.
#include "net/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

#include "net/testing/server_fixture.h"

namespace qiao {
namespace {

using net::HttpServerTest;
using net::RawPeer;
using Writer = std::shared_ptr<ResponseWriter>;

TEST_F(HttpServerTest, HandsOverTheWholeRequest) {
  start();
  RawPeer peer(port_);
  peer.send("PUT /v1/g%20x?lang=zh HTTP/1.1\r\nHost: x\r\nX-Key: V\r\nContent-Length: 2\r\n\r\nhi");
  const Writer writer = next_writer();
  ASSERT_TRUE(writer);
  const HttpRequest& request = requests_.front();
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.path, "/v1/g x");
  EXPECT_EQ(request.query.at("lang"), "zh");
  EXPECT_EQ(request.headers.at("x-key"), "V");
  EXPECT_EQ(request.body, "hi");
  EXPECT_EQ(request.peer, "127.0.0.1");
  writer->respond(201, {{"Content-Type", "text/plain"}, {"X-Evil", "a\r\nSet-Cookie: b"}}, "done");
  writer->respond(500, {}, "a second answer is nothing");
  const auto response = peer.read_response();
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body, "done");
  EXPECT_NE(response.head.find("Content-Type: text/plain\r\n"), std::string::npos);
  EXPECT_NE(response.head.find("\r\nDate: "), std::string::npos);
  EXPECT_EQ(response.head.find("\r\nSet-Cookie"), std::string::npos);
}

TEST_F(HttpServerTest, AConnectionServesManyRequests) {
  start();
  RawPeer peer(port_);
  for (int i = 0; i < 100; ++i) {
    peer.send(post("/echo", std::to_string(i)));
    EXPECT_EQ(peer.read_response().body, std::to_string(i));
  }
  peer.send(get("/echo", "Connection: close\r\n"));
  EXPECT_NE(peer.read_response().head.find("Connection: close"), std::string::npos);
  EXPECT_TRUE(peer.closed_by_server());
  EXPECT_EQ(metric("qiao_http_requests_total{class=\"2xx\"}"), 101);
}

TEST_F(HttpServerTest, PipelinedRequestsAreServedOneAtATimeInOrder) {
  start();
  RawPeer peer(port_);
  peer.send(get("/slow/1") + post("/echo", "two") + get("/slow/3"));
  const Writer first = next_writer();
  ASSERT_TRUE(first);
  EXPECT_EQ(waiting_requests(), 0U);
  first->respond(200, {}, "one");
  EXPECT_EQ(peer.read_response().body, "one");
  EXPECT_EQ(peer.read_response().body, "two");
  next_writer()->respond(200, {}, "three");
  EXPECT_EQ(peer.read_response().body, "three");
}

TEST_F(HttpServerTest, ThousandsOfPipelinedRequestsNeedNoStack) {
  start();
  RawPeer peer(port_);
  std::string all;
  for (int i = 0; i < 5'000; ++i) all += get("/echo");
  std::thread sender([&] { peer.send(all); });
  int answered = 0;
  while (answered < 5'000 && peer.read_response().status == 200) ++answered;
  sender.join();
  EXPECT_EQ(answered, 5'000);
}

TEST_F(HttpServerTest, ChunksGoBothWays) {
  start();
  RawPeer peer(port_);
  peer.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  peer.send("10\r\n0123456789abcdef\r\n0\r\n\r\n");
  EXPECT_EQ(peer.read_response().body, "abc0123456789abcdef");

  peer.send(get("/stream"));
  const Writer writer = next_writer();
  writer->begin(200, {{"Content-Type", "text/event-stream"}});
  EXPECT_NE(peer.read_until("\r\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_TRUE(writer->write("data: 1\n\n"));
  EXPECT_EQ(peer.read_until("\n\n\r\n"), "9\r\ndata: 1\n\n\r\n");
  EXPECT_EQ(metric("qiao_http_streams"), 1);
  EXPECT_TRUE(writer->write(""));
  EXPECT_TRUE(writer->write(std::string(300, 'x')));
  writer->end();
  EXPECT_EQ(peer.read_until("\r\n"), "12c\r\n");
  EXPECT_TRUE(peer.read_until("0\r\n\r\n").ends_with("x\r\n0\r\n\r\n"));
  EXPECT_EQ(writer->write("late").error().code, Code::kCancelled);
  EXPECT_TRUE(wait_for([&] { return metric("qiao_http_streams") == 0; }));
}

TEST_F(HttpServerTest, HeadAndNoContentHaveNoBody) {
  handler_ = [](const HttpRequest& request, const Writer& writer) {
    if (request.path == "/none") return writer->respond(204, {}, "not sent");
    if (request.path == "/plain") return writer->respond(200, {}, "12345");
    writer->begin(200, {});
    EXPECT_TRUE(writer->write("not sent"));
    writer->end();
  };
  start();
  RawPeer peer(port_);
  peer.send("HEAD /plain HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(peer.read_response(true).head.find("Content-Length: 5"), std::string::npos);
  peer.send("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(peer.read_response(true).status, 200);
  peer.send(get("/none"));
  EXPECT_EQ(peer.read_response(true).head.find("Content-Length"), std::string::npos);
  peer.send(get("/plain"));
  EXPECT_EQ(peer.read_response().body, "12345");
}

TEST_F(HttpServerTest, Http10StreamsUntilTheEndOfTheConnection) {
  start();
  RawPeer plain(port_);
  plain.send("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(plain.read_response().complete);
  EXPECT_TRUE(plain.closed_by_server());

  RawPeer peer(port_);
  peer.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const Writer writer = next_writer();
  writer->begin(200, {});
  EXPECT_TRUE(writer->write("bare"));
  writer->end();
  const std::string all = peer.read_to_end();
  EXPECT_TRUE(all.starts_with("HTTP/1.0 200"));
  EXPECT_TRUE(all.ends_with("\r\n\r\nbare")) << all;
}

TEST_F(HttpServerTest, AsksForTheBodyWhenThePeerWaits) {
  start();
  RawPeer peer(port_);
  const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n";
  peer.send(head + "Content-Length: 3\r\n\r\n");
  EXPECT_EQ(peer.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.send("abc");
  EXPECT_EQ(peer.read_response().body, "abc");
  peer.send(head + "Content-Length: 999999999\r\n\r\n");
  expect_error(peer.read_response(), 413, "invalid_argument");
}

TEST_F(HttpServerTest, AnUnansweredRequestIsAFaultOfTheServer) {
  start();
  RawPeer peer(port_);
  peer.send(get("/lost"));
  next_writer().reset();
  expect_error(peer.read_response(), 500, "internal");
  peer.send(get("/lost"));
  Writer writer = next_writer();
  writer->begin(200, {});
  EXPECT_TRUE(writer->write("half"));
  writer.reset();
  const auto response = peer.read_response();
  EXPECT_EQ(response.body, "half");
  EXPECT_FALSE(response.complete);
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsAnswered500) {
  handler_ = [](const HttpRequest&, const Writer&) { throw std::runtime_error("a fault"); };
  start();
  RawPeer peer(port_);
  peer.send(get("/"));
  expect_error(peer.read_response(), 500, "internal");
}

TEST_F(HttpServerTest, StopLetsARunningAnswerFinish) {
  start();
  RawPeer running(port_);
  RawPeer idle(port_);
  idle.send(get("/echo"));
  EXPECT_EQ(idle.read_response().status, 200);
  running.send(get("/slow"));
  const Writer writer = next_writer();
  std::thread stopper([&] { server_->stop(5'000); });
  EXPECT_TRUE(idle.closed_by_server());
  RawPeer late(port_);
  late.send(get("/echo"));
  EXPECT_EQ(late.read_response().status, 0);
  writer->respond(200, {}, "finished");
  EXPECT_EQ(running.read_response().body, "finished");
  EXPECT_TRUE(running.closed_by_server());
  stopper.join();
}

// Goal: a tick that is due while the server stops does not keep it alive. Method: the shortest
// tick, and stops that come at every part of it.
TEST_F(HttpServerTest, StopsAtAnyMomentOfATick) {
  options_.idle_timeout_ms = 1;
  for (int i = 0; i < 60; ++i) {
    start();
    std::this_thread::sleep_for(std::chrono::microseconds(9'700 + 20 * i));
    server_->stop(0);
  }
}

TEST_F(HttpServerTest, AfterTheGraceStopClosesTheRest) {
  start();
  RawPeer peer(port_);
  peer.send(get("/never"));
  const Writer writer = next_writer();
  std::atomic<bool> left{false};
  writer->on_close([&] { left = true; });
  server_->stop(50);
  EXPECT_TRUE(left);
  EXPECT_TRUE(peer.closed_by_server());
  server_.reset();
  writer->respond(200, {}, "to nobody");  // a writer may outlive its server
  writer->on_close([writer] {});
}

TEST_F(HttpServerTest, ABusyPortIsNamed) {
  start();
  HttpServerOptions options = options_;
  options.port = port_;
  HttpServer second(options, handler_, metrics_);
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Code::kConflict);
  EXPECT_NE(started.error().message.find(std::to_string(port_)), std::string::npos);
  options.address = "not an address";
  HttpServer third(options, handler_, metrics_);
  EXPECT_EQ(third.start().error().code, Code::kInvalidArgument);
}

TEST_F(HttpServerTest, FiveHundredConnectionsAtOnce) {
  handler_ = [this](HttpRequest request, Writer writer) {
    if (request.path == "/echo") return writer->respond(200, {}, request.body);
    writer->begin(200, {});
    std::lock_guard lock(mutex_);
    writers_.push_back(std::move(writer));
  };
  start();
  std::vector<std::unique_ptr<RawPeer>> peers;
  for (int i = 0; i < 500; ++i) {
    peers.push_back(std::make_unique<RawPeer>(port_));
    peers.back()->send(post("/echo", std::to_string(i)) + get("/stream"));
  }
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(peers[static_cast<std::size_t>(i)]->read_response().body, std::to_string(i));
  }
  ASSERT_TRUE(wait_for([&] { return waiting_requests() == 500; }));
  EXPECT_TRUE(wait_for([&] { return metric("qiao_http_streams") == 500; }));
  // From two threads that are not the server's.
  std::thread half([&] {
    for (std::size_t i = 0; i < 250; ++i) EXPECT_TRUE(writers_[i]->write("x"));
  });
  for (std::size_t i = 250; i < 500; ++i) EXPECT_TRUE(writers_[i]->write("x"));
  half.join();
  for (const Writer& writer : writers_) writer->end();
  for (const auto& peer : peers) EXPECT_EQ(peer->read_response().body, "x");
}

}  // namespace
}  // namespace qiao
