// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "net/testing/raw_peer.h"

namespace qiao {
namespace {

using net::RawPeer;
using Writer = std::shared_ptr<ResponseWriter>;

// A server whose handler hands the requests to the test.
class HttpServerTest : public testing::Test {
 protected:
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
  EXPECT_EQ(metric("qiao_http_streams"), 0);
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

TEST_F(HttpServerTest, OverALimitItAnswersAndCloses) {
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

TEST_F(HttpServerTest, SlowPeersRunOutOfTime) {
  options_.header_timeout_ms = options_.body_timeout_ms = options_.idle_timeout_ms = 150;
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
  for (int i = 0; i < 8; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (i < 3) slow_header.send("x");
  }
  expect_error(slow_header.read_response(), 408, "deadline");
  expect_error(slow_body.read_response(), 408, "deadline");
  EXPECT_TRUE(silent.closed_by_server());
  EXPECT_TRUE(idle.closed_by_server());
}

TEST_F(HttpServerTest, AnAnswerMayTakeLongerThanAnyTimeout) {
  options_.header_timeout_ms = options_.body_timeout_ms = options_.idle_timeout_ms = 60;
  start();
  RawPeer peer(port_);
  peer.send(get("/slow"));
  const Writer writer = next_writer();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  writer->begin(200, {});
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_TRUE(writer->write("still here"));
  writer->end();
  EXPECT_EQ(peer.read_response().body, "still here");
}

TEST_F(HttpServerTest, PastConnectionsMaxItAnswers503) {
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

TEST_F(HttpServerTest, APeerThatLeavesWhileAnAnswerIsMadeIsNoticed) {
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

TEST_F(HttpServerTest, APeerThatLeavesAStreamIsNoticed) {
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

TEST_F(HttpServerTest, TasksOfAnAnswerThatEndedWellAreDropped) {
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

TEST_F(HttpServerTest, APeerThatOnlyStopsSendingGetsItsAnswer) {
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

TEST_F(HttpServerTest, ASlowReaderIsTold) {
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

TEST_F(HttpServerTest, AReaderThatStopsReadingIsDropped) {
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
