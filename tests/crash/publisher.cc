// SPDX-License-Identifier: Apache-2.0
// One client for the crash comparison, alike for every store: publisher STORE publish|count PORT
// publish: one message after another, each ack printed as "ACK n" when its answer is there.
// count: "PRESENT n" messages are stored, or "ABSENT reason". STORE: qiao, nats, redis.
// Built without libraries, so that it runs in a guest that has none.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

namespace {

constexpr int kConnectTries = 1'200;  // of 0.1 s: a guest in software emulation starts slowly
constexpr std::size_t kAnswerBytesMax = 1 << 20;

[[noreturn]] void end(const std::string& why) {
  std::printf("ABSENT %s\n", why.c_str());
  std::fflush(stdout);
  std::exit(1);
}

// A connection whose failures end the program: the guest is about to be killed anyway.
class Socket {
 public:
  explicit Socket(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int tries = 0; tries < kConnectTries; ++tries) {
      fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
      const int on = 1;
      ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const void* raw = &address;
      if (::connect(fd_, static_cast<const sockaddr*>(raw), sizeof address) == 0) return;
      ::close(fd_);
      ::usleep(100'000);
    }
    end("nobody listens");
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void send(const std::string& bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t n = ::write(fd_, bytes.data() + sent, bytes.size() - sent);
      if (n <= 0) end("the connection broke");
      sent += static_cast<std::size_t>(n);
    }
  }
  // A line without its CR LF.
  std::string line() {
    std::size_t at;
    while ((at = held_.find("\r\n")) == std::string::npos) fill();
    std::string text = held_.substr(0, at);
    held_.erase(0, at + 2);
    return text;
  }
  std::string bytes(std::size_t count) {
    while (held_.size() < count) fill();
    std::string text = held_.substr(0, count);
    held_.erase(0, count);
    return text;
  }

 private:
  void fill() {
    char buffer[4096];
    const ssize_t n = ::read(fd_, buffer, sizeof buffer);
    if (n <= 0 || held_.size() > kAnswerBytesMax) end("the connection broke");
    held_.append(buffer, static_cast<std::size_t>(n));
  }

  int fd_ = -1;
  std::string held_;
};

// The number behind "name": in JSON.
long number_of(const std::string& json, const std::string& name) {
  const std::size_t at = json.find("\"" + name + "\":");
  return at == std::string::npos ? -1 : std::atol(json.c_str() + at + name.size() + 3);
}

class Store {
 public:
  virtual ~Store() = default;
  virtual void prepare() = 0;
  virtual bool publish(long n) = 0;  // true: acked
  virtual long count() = 0;
};

class Qiao final : public Store {
 public:
  explicit Qiao(int port) : socket_(port) {}
  void prepare() override {}
  bool publish(long n) override {
    const std::string text = std::to_string(n);
    const std::string body = R"({"id":"m)" + text + R"(","text":")" + text + "\"}";
    return call("POST", "/v1/topics/crash.test/messages", body).first == 200;
  }
  long count() override {
    const auto [status, body] = call("GET", "/v1/topics", "");
    if (status != 200) end("status " + std::to_string(status));
    return body.find("crash.test") == std::string::npos ? 0 : number_of(body, "messages");
  }

 private:
  std::pair<int, std::string> call(const std::string& method, const std::string& path,
                                   const std::string& body) {
    socket_.send(method + " " + path +
                 " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer crash-test-key\r\n"
                 "Content-Type: application/json\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::string first = socket_.line();
    std::size_t length = 0;
    for (std::string line = socket_.line(); !line.empty(); line = socket_.line()) {
      if (::strncasecmp(line.c_str(), "content-length:", 15) == 0)
        length = static_cast<std::size_t>(std::atol(line.c_str() + 15));
    }
    return {std::atoi(first.c_str() + 9), socket_.bytes(length)};
  }
  Socket socket_;
};

class Nats final : public Store {
 public:
  explicit Nats(int port) : socket_(port) {
    socket_.line();  // INFO
    socket_.send("CONNECT {\"verbose\":false}\r\nSUB answers 1\r\n");
  }
  void prepare() override {
    const std::string answer =
        request("$JS.API.STREAM.CREATE.K",
                R"({"name":"K","subjects":["crash.test"],"storage":"file","num_replicas":1})");
    if (answer.find("\"error\"") != std::string::npos) end(answer);
  }
  bool publish(long n) override {
    return number_of(request("crash.test", std::to_string(n)), "seq") > 0;
  }
  long count() override {
    const std::string answer = request("$JS.API.STREAM.INFO.K", "");
    if (answer.find("\"error\"") != std::string::npos) end("the stream is not found");
    return number_of(answer, "messages");
  }

 private:
  std::string request(const std::string& subject, const std::string& body) {
    socket_.send("PUB " + subject + " answers " + std::to_string(body.size()) + "\r\n" + body +
                 "\r\n");
    for (;;) {
      const std::string line = socket_.line();
      if (line.rfind("PING", 0) == 0) socket_.send("PONG\r\n");
      if (line.rfind("-ERR", 0) == 0) end(line);
      if (line.rfind("MSG ", 0) != 0) continue;
      const auto size = static_cast<std::size_t>(std::atol(line.c_str() + line.rfind(' ')));
      std::string answer = socket_.bytes(size + 2);
      // JetStream may not be ready yet: its early answer has no content.
      if (size == 0) end("JetStream does not answer");
      return answer;
    }
  }
  Socket socket_;
};

class Redis final : public Store {
 public:
  explicit Redis(int port) : socket_(port) {}
  void prepare() override {}
  bool publish(long n) override {
    const std::string text = std::to_string(n);
    socket_.send("*5\r\n$4\r\nXADD\r\n$5\r\ncrash\r\n$1\r\n*\r\n$1\r\nn\r\n$" +
                 std::to_string(text.size()) + "\r\n" + text + "\r\n");
    const std::string answer = socket_.line();
    if (answer.empty() || answer[0] != '$') end(answer);
    socket_.line();
    return true;
  }
  long count() override {
    for (;;) {
      socket_.send("*2\r\n$4\r\nXLEN\r\n$5\r\ncrash\r\n");
      const std::string answer = socket_.line();
      if (answer.rfind("-LOADING", 0) == 0) {
        ::usleep(100'000);
        continue;
      }
      if (answer.empty() || answer[0] != ':') end(answer);
      return std::atol(answer.c_str() + 1);
    }
  }

 private:
  Socket socket_;
};

std::unique_ptr<Store> store_of(const std::string& name, int port) {
  if (name == "qiao") return std::make_unique<Qiao>(port);
  if (name == "nats") return std::make_unique<Nats>(port);
  if (name == "redis") return std::make_unique<Redis>(port);
  end("no store is called " + name);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) end("publisher STORE publish|count PORT");
  const auto store = store_of(argv[1], std::atoi(argv[3]));
  if (std::string(argv[2]) == "count") {
    std::printf("PRESENT %ld\n", store->count());
    return 0;
  }
  store->prepare();
  for (long n = 1;; ++n) {
    if (!store->publish(n)) end("message " + std::to_string(n) + " was refused");
    std::printf("ACK %ld\n", n);
    std::fflush(stdout);
  }
}
