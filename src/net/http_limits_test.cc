// SPDX-License-Identifier: Apache-2.0
// What bounds a peer: sizes, times, numbers; and how one that leaves or lags is noticed.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "net/http_server.h"
#include "net/testing/server_fixture.h"

namespace qiao {
namespace {

using net::RawPeer;
using Writer = std::shared_ptr<ResponseWriter>;

class HttpLimitsTest : public net::HttpServerTest {};

TEST_F(HttpLimitsTest, OverALimitItAnswersAndCloses) {
  options_.header_bytes_max = 1'000;
  options_.body_bytes_max = 2'000;
  start();
  const std::string post_head = "POST /x HTTP/1.1\r\nHost: x\r\n";
  const struct {
    std::string bytes;
    int status;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(100'000, 'a'), 431},
      {post_head + "Content-Length: 104857600\r\n\r\n", 413},
      {post("/x", std::string(2'001, 'b')), 413},
      {post_head + "Transfer-Encoding: chunked\r\n\r\n7d1\r\n" + std::string(2'001, 'c'), 413},
      {get("/%zz"), 400},
      {get("/%ff"), 400},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400},
      {"nonsense\r\n\r\n", 400},
  };
  for (const auto& [bytes, status] : cases) {
    RawPeer peer(port_);
    peer.send(bytes);
    expect_error(peer.read_response(), status, "invalid_argument");
    EXPECT_TRUE(peer.closed_by_server()) << status;
  }
  EXPECT_EQ(waiting_requests(), 0U);
  EXPECT_EQ(metric("qiao_http_requests_total{class=\"4xx\"}"), 8);
}

TEST_F(HttpLimitsTest, SlowPeersRunOutOfTime) {
  options_.header_timeout_ms = options_.body_timeout_ms = options_.idle_timeout_ms = 300;
  start();
  RawPeer silent(port_);
  RawPeer slow_header(port_);
  RawPeer slow_body(port_);
  RawPeer idle(port_);
  slow_header.send("GET / HTT");
  slow_body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  idle.send(get("/echo"));
  EXPECT_EQ(idle.read_response().status, 200);
  // A byte now and then does not buy time.
  for (int i = 0; i < 16; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (i < 10) slow_header.send("x");
  }
  expect_error(slow_header.read_response(), 408, "deadline");
  expect_error(slow_body.read_response(), 408, "deadline");
  EXPECT_TRUE(silent.closed_by_server());
  EXPECT_TRUE(idle.closed_by_server());
}

TEST_F(HttpLimitsTest, AnAnswerMayTakeLongerThanAnyTimeout) {
  options_.header_timeout_ms = options_.body_timeout_ms = options_.idle_timeout_ms = 200;
  start();
  RawPeer peer(port_);
  peer.send(get("/slow"));
  const Writer writer = next_writer();
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  writer->begin(200, {});
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  EXPECT_TRUE(writer->write("still here"));
  writer->end();
  EXPECT_EQ(peer.read_response().body, "still here");
}

TEST_F(HttpLimitsTest, PastConnectionsMaxItAnswers503) {
  options_.connections_max = 2;
  start();
  RawPeer first(port_);
  auto second = std::make_unique<RawPeer>(port_);
  first.send(get("/echo"));
  second->send(get("/echo"));
  EXPECT_EQ(first.read_response().status, 200);
  EXPECT_EQ(second->read_response().status, 200);
  RawPeer third(port_);
  third.send(get("/echo"));
  expect_error(third.read_response(), 503, "overloaded");
  EXPECT_EQ(metric("qiao_http_refused_total"), 1);
  EXPECT_EQ(metric("qiao_http_connections"), 2);
  second.reset();
  ASSERT_TRUE(wait_for([&] { return metric("qiao_http_connections") == 1; }));
  RawPeer fourth(port_);
  fourth.send(get("/echo"));
  EXPECT_EQ(fourth.read_response().status, 200);
}

TEST_F(HttpLimitsTest, APeerThatLeavesWhileAnAnswerIsMadeIsNoticed) {
  start();
  for (const bool reset : {false, true}) {
    auto peer = std::make_unique<RawPeer>(port_);
    peer->send(get("/slow") + get("/early"));  // the early bytes must not hide the end
    const Writer writer = next_writer();
    std::atomic<int> left{0};
    writer->on_close([&] { ++left; });
    EXPECT_EQ(left, 0);
    reset ? peer->reset() : peer.reset();
    EXPECT_TRUE(wait_for([&] { return left == 1; }));
    writer->on_close([&] { ++left; });
    EXPECT_TRUE(wait_for([&] { return left == 2; }));
    writer->begin(200, {});
    EXPECT_EQ(writer->write("nobody").error().code, Code::kCancelled);
    writer->end();
    EXPECT_TRUE(wait_for([&] { return metric("qiao_http_connections") == 0; }));
  }
  EXPECT_EQ(waiting_requests(), 0U);
}

TEST_F(HttpLimitsTest, APeerThatLeavesAStreamIsNoticed) {
  start();
  auto peer = std::make_unique<RawPeer>(port_);
  peer->send(get("/stream"));
  const Writer writer = next_writer();
  std::atomic<bool> left{false};
  writer->on_close([&] { left = true; });
  writer->begin(200, {});
  EXPECT_TRUE(writer->write("a"));
  EXPECT_EQ(peer->read_response(true).status, 200);
  peer.reset();
  EXPECT_TRUE(wait_for([&] { return left.load(); }));
  EXPECT_EQ(writer->write("b").error().code, Code::kCancelled);
  EXPECT_TRUE(wait_for([&] { return metric("qiao_http_streams") == 0; }));
}

TEST_F(HttpLimitsTest, TasksOfAnAnswerThatEndedWellAreDropped) {
  start();
  RawPeer peer(port_);
  peer.send(get("/slow"));
  Writer writer = next_writer();
  auto owned = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = owned;
  // The usual cycle: the task owns the writer.
  writer->on_close([writer, owned = std::move(owned)] { FAIL(); });
  writer->respond(200, {}, "");
  EXPECT_EQ(peer.read_response().status, 200);
  writer.reset();
  EXPECT_TRUE(wait_for([&] { return watch.expired(); }));
}

TEST_F(HttpLimitsTest, APeerThatOnlyStopsSendingGetsItsAnswer) {
  start();
  RawPeer peer(port_);
  peer.send(get("/slow"));
  const Writer writer = next_writer();
  std::atomic<bool> left{false};
  writer->on_close([&] { left = true; });
  peer.close_sending();
  EXPECT_TRUE(wait_for([&] { return left.load(); }));
  writer->respond(200, {}, "after all");
  EXPECT_EQ(peer.read_response().body, "after all");
  EXPECT_TRUE(peer.closed_by_server());
}

TEST_F(HttpLimitsTest, ASlowReaderIsTold) {
  options_.stream_bytes_max = 100'000;
  start();
  RawPeer peer(port_);
  peer.send(get("/stream"));
  const Writer writer = next_writer();
  writer->begin(200, {});
  const std::string chunk(10'000, 'z');
  std::size_t taken = 0;
  Status written;
  while ((written = writer->write(chunk)) && taken < 100'000'000) taken += chunk.size();
  ASSERT_FALSE(written);  // the kernel's buffers and ours are full
  EXPECT_EQ(written.error().code, Code::kOverloaded);
  std::thread ender([&] {
    while (!writer->write("end")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    writer->end();
  });
  const auto response = peer.read_response();
  ender.join();
  EXPECT_TRUE(response.complete);
  EXPECT_EQ(response.body.size(), taken + 3);
}

TEST_F(HttpLimitsTest, AReaderThatStopsReadingIsDropped) {
  options_.idle_timeout_ms = 100;
  start();
  RawPeer peer(port_);
  peer.send(get("/slow"));
  const Writer writer = next_writer();
  std::atomic<bool> left{false};
  writer->on_close([&] { left = true; });
  writer->respond(200, {}, std::string(64 << 20, 'x'));
  EXPECT_TRUE(wait_for([&] { return left.load(); }));
  EXPECT_EQ(metric("qiao_http_connections"), 0);
}

}  // namespace
}  // namespace qiao
