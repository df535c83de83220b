// SPDX-License-Identifier: Apache-2.0
// The client against a server of a few lines that answers each path with bytes set before.
#include "client/client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace qiao {
namespace {

class FakeServer {
 public:
  FakeServer() {
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
  ~FakeServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  // The next connection is answered so.
  void answer(int status, const std::string& body, const std::string& headers = {}) {
    std::lock_guard lock(mutex_);
    answers_.push_back("HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers +
                       "Connection: close\r\n\r\n" + body);
  }
  [[nodiscard]] std::vector<std::string> received() {
    std::lock_guard lock(mutex_);
    return received_;
  }
  [[nodiscard]] Client client() const {
    return Client({"http://127.0.0.1:" + std::to_string(port_), "secret"});
  }

 private:
  void serve() {
    for (int peer = -1; (peer = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(peer)) {
      const std::string request = read_request(peer);
      std::lock_guard lock(mutex_);
      received_.push_back(request);
      if (answers_.empty()) continue;
      ::send(peer, answers_.front().data(), answers_.front().size(), MSG_NOSIGNAL);
      answers_.pop_front();
    }
  }
  static std::string read_request(int peer) {
    std::string request;
    char buffer[4096];
    while (!complete(request)) {
      const ssize_t n = ::recv(peer, buffer, sizeof buffer, 0);
      if (n <= 0) break;
      request.append(buffer, static_cast<std::size_t>(n));
    }
    return request;
  }
  static bool complete(const std::string& request) {
    const std::size_t head = request.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    const std::size_t length = request.find("Content-Length: ");
    if (length == std::string::npos) return true;
    return request.size() >= head + 4 + std::stoul(request.substr(length + 16));
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::deque<std::string> answers_;
  std::vector<std::string> received_;
  std::thread thread_;
};

TEST(Client, PublishesWithItsKey) {
  FakeServer server;
  server.answer(200, R"({"id":"m1","offset":7,"durability":"fsync","duplicate":true})");
  const auto accepted = server.client().publish(text_message("a.b", "你好", "c1"));
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_EQ(accepted->id, "m1");
  EXPECT_EQ(accepted->offset, 7u);
  EXPECT_EQ(accepted->durability, "fsync");
  EXPECT_TRUE(accepted->duplicate);
  const std::string request = server.received()[0];
  EXPECT_TRUE(request.starts_with("POST /v1/topics/a.b/messages HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("Authorization: Bearer secret\r\n"), std::string::npos);
  EXPECT_NE(request.find("你好"), std::string::npos);
}

TEST(Client, PatternsAreEscapedInPaths) {
  FakeServer server;
  server.answer(200, R"({"messages":[{"subject":"a.b","text":"x","offset":3}],"next":4})");
  const auto page = server.client().read("a.>", 1, 10);
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->messages[0].offset, 3u);
  EXPECT_EQ(page->messages[0].message.text(), "x");
  EXPECT_EQ(page->next, 4u);
  EXPECT_TRUE(server.received()[0].starts_with("GET /v1/topics/a.%3E/messages?from=1&limit=10 "));
}

TEST(Client, ErrorsOfTheServerArriveAsTheyWere) {
  FakeServer server;
  server.answer(409, R"({"error":{"code":"precondition","number":4,"message":"not now"}})");
  const auto refused = server.client().get("/v1/groups");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), (Error{Code::kPrecondition, "not now"}));
}

TEST(Client, AStrangersErrorGetsTheClassOfItsStatus) {
  FakeServer server;
  server.answer(502, "<html>bad gateway</html>");
  const auto refused = server.client().get("/v1/groups");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_NE(refused.error().message.find("502"), std::string::npos);
}

TEST(Client, NoServerIsUnavailableAndNamed) {
  const auto refused = Client({"http://127.0.0.1:9", "k"}).get("/v1/status");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_NE(refused.error().message.find("http://127.0.0.1:9"), std::string::npos);
}

TEST(Client, LeasesAndAcks) {
  FakeServer server;
  server.answer(200, R"({"deliveries":[{"group":"g","offset":5,"attempt":2,"lease":17,"until_ms":99,
                         "message":{"subject":"a.b","text":"work"}}]})");
  server.answer(200, "{}");
  const Client client = server.client();
  const auto leased = client.lease("g", "me", 1, 10);
  ASSERT_TRUE(leased) << leased.error().message;
  ASSERT_EQ(leased->size(), 1u);
  EXPECT_EQ((*leased)[0].message.text(), "work");
  ASSERT_TRUE(client.ack((*leased)[0]));
  EXPECT_NE(server.received()[1].find(R"({"leases":[{"offset":5,"lease":17}]})"),
            std::string::npos);
}

TEST(Client, AcksWithWhatCameOfTheWork) {
  FakeServer server;
  server.answer(200, R"({"messages":[{"id":"r","offset":8,"durability":"fsync"}]})");
  LeasedMessage leased;
  leased.group = "g";
  leased.offset = 5;
  leased.lease = 9;
  ASSERT_TRUE(server.client().ack(leased, {text_message("done.x", "result")}));
  const std::string sent = server.received()[0];
  EXPECT_NE(sent.find(R"("leases":[{"offset":5,"lease":9}])"), std::string::npos) << sent;
  EXPECT_NE(sent.find(R"("subject":"done.x")"), std::string::npos) << sent;
}

TEST(Client, ChatGathersThePieces) {
  FakeServer server;
  server.answer(
      200,
      "data: {\"choices\":[{\"delta\":{\"content\":\"你\"}}]}\n\n"
      "data: {\"choices\":[{\"delta\":{\"content\":\"好\"},\"finish_reason\":\"stop\"}]}\n\n"
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n"
      "data: [DONE]\n\n",
      "Qiao-Message-Id: m9\r\n");
  std::vector<std::string> pieces;
  const auto answer = server.client().chat(
      {"shop", "hi", "c1"}, [&](std::string_view piece) { pieces.emplace_back(piece); });
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(pieces, (std::vector<std::string>{"你", "好"}));
  EXPECT_EQ(answer->text, "你好");
  EXPECT_EQ(answer->message_id, "m9");
  EXPECT_EQ(answer->finish, "stop");
  EXPECT_EQ(answer->completion_tokens, 2);
  EXPECT_NE(server.received()[0].find(R"("conversation":"c1")"), std::string::npos);
}

TEST(Client, AnErrorInsideAnAnswerIsAnError) {
  FakeServer server;
  server.answer(200,
                "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
                "data: {\"error\":{\"number\":14,\"message\":\"the model is gone\"}}\n\n");
  const auto answer = server.client().chat({"shop", "hi", ""}, {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error(), (Error{Code::kModelFailed, "the model is gone"}));
}

// The connection is lost after the first message: the second connection asks for what follows it.
TEST(Client, ASubscriptionComesBackWhereItWas) {
  FakeServer server;
  server.answer(200,
                "id: 4\nevent: message\ndata: {\"subject\":\"a\",\"text\":\"1\",\"offset\":4}\n\n");
  server.answer(200,
                "id: 6\nevent: message\ndata: {\"subject\":\"a\",\"text\":\"2\",\"offset\":6}\n\n");
  std::vector<std::uint64_t> offsets;
  const auto status = server.client().subscribe("a", 2, [&](const ReceivedMessage& received) {
    offsets.push_back(received.offset);
    return offsets.size() < 2;
  });
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(offsets, (std::vector<std::uint64_t>{4, 6}));
  EXPECT_TRUE(server.received()[0].starts_with("GET /v1/topics/a/subscribe?from=2 "));
  EXPECT_EQ(server.received()[0].find("Last-Event-ID"), std::string::npos);
  EXPECT_NE(server.received()[1].find("Last-Event-ID: 4\r\n"), std::string::npos);
}

TEST(Client, ARefusedSubscriptionIsNotTriedAgain) {
  FakeServer server;
  server.answer(401, R"({"error":{"number":6,"message":"which key?"}})");
  const auto status =
      server.client().subscribe("a", std::nullopt, [](const ReceivedMessage&) { return true; });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kUnauthenticated);
  EXPECT_EQ(server.received().size(), 1u);
}

}  // namespace
}  // namespace qiao
