// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace qiao::testing {

// What a client asked.
struct HttpAsked {
  std::string line;                            // "GET /file HTTP/1.1"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// Pieces of raw bytes to send, each after its pause; then the connection is closed.
struct HttpScript {
  struct Piece {
    std::string bytes;
    int pause_ms = 0;
  };
  std::vector<Piece> pieces;
};

inline HttpScript http_reply(int status, const std::string& body, const std::string& headers = "") {
  return {{{"HTTP/1.1 " + std::to_string(status) + " Reply\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\nConnection: close\r\n" + headers + "\r\n" + body}}};
}

// The head of a stream without a length: its end is the end of the connection.
inline HttpScript http_stream(std::vector<HttpScript::Piece> pieces) {
  HttpScript script{
      {{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Connection: close\r\n\r\n"}}};
  script.pieces.insert(script.pieces.end(), pieces.begin(), pieces.end());
  return script;
}

// A server on a loopback port that sends what `answer` says, byte for byte, so that a test can
// cut, slow and garble as it likes. One connection carries one exchange. `answer` runs on a
// thread of the server's, several at a time. The destructor waits for all of them.
class FakeHttp {
 public:
  using Answer = std::function<HttpScript(const HttpAsked&, int exchange)>;  // exchange: from 0

  explicit FakeHttp(Answer answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, raw, size) == 0 && ::listen(listener_, 64) == 0 &&
        ::getsockname(listener_, raw, &size) == 0) {
      port_ = ntohs(address.sin_port);
    }
    acceptor_ = std::jthread([this] { accept_all(); });
  }
  ~FakeHttp() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    talks_.clear();
  }
  FakeHttp(const FakeHttp&) = delete;
  FakeHttp& operator=(const FakeHttp&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::vector<HttpAsked> asked() const {
    std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  void accept_all() {
    for (int exchange = 0;; ++exchange) {
      const int peer = ::accept(listener_, nullptr, nullptr);
      if (peer < 0) return;
      talks_.emplace_back([this, peer, exchange] { talk(peer, exchange); });
    }
  }

  void talk(int peer, int exchange) {
    const HttpAsked asked = read_request(peer);
    {
      std::lock_guard lock(mutex_);
      asked_.push_back(asked);
    }
    for (const HttpScript::Piece& piece : answer_(asked, exchange).pieces) {
      std::this_thread::sleep_for(std::chrono::milliseconds(piece.pause_ms));
      std::size_t sent = 0;
      while (sent < piece.bytes.size()) {
        const ssize_t n =
            ::send(peer, piece.bytes.data() + sent, piece.bytes.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<std::size_t>(n);
      }
    }
    ::shutdown(peer, SHUT_RDWR);
    ::close(peer);
  }

  static HttpAsked read_request(int peer) {
    std::string text;
    std::size_t head = std::string::npos;
    std::size_t wanted = 0;
    HttpAsked asked;
    char buffer[65536];
    while (head == std::string::npos || text.size() < head + wanted) {
      const ssize_t n = ::recv(peer, buffer, sizeof buffer, 0);
      if (n <= 0) break;
      text.append(buffer, static_cast<std::size_t>(n));
      if (head != std::string::npos || text.find("\r\n\r\n") == std::string::npos) continue;
      head = text.find("\r\n\r\n") + 4;
      read_head(text.substr(0, head), asked);
      if (asked.headers.contains("content-length")) {
        wanted = std::stoul(asked.headers["content-length"]);
      }
    }
    if (head != std::string::npos) asked.body = text.substr(head);
    return asked;
  }

  static void read_head(const std::string& text, HttpAsked& asked) {
    std::size_t at = text.find("\r\n");
    asked.line = text.substr(0, at);
    for (at += 2; at < text.size();) {
      const std::size_t end = text.find("\r\n", at);
      const std::size_t colon = text.find(": ", at);
      if (end == at || colon == std::string::npos || colon > end) break;
      std::string name = text.substr(at, colon - at);
      for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      asked.headers[name] = text.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
  }

  Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<HttpAsked> asked_;
  std::vector<std::jthread> talks_;
  std::jthread acceptor_;
};

}  // namespace qiao::testing
