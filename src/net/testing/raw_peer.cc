// SPDX-License-Identifier: Apache-2.0
#include "net/testing/raw_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace qiao::net {

RawPeer::RawPeer(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (::connect(fd_, generic, sizeof address) != 0) reset();
}

RawPeer::~RawPeer() {
  if (fd_ >= 0) ::close(fd_);
}

void RawPeer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the server has closed: the test sees it when it reads
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool RawPeer::read_more() {
  pollfd readable{fd_, POLLIN, 0};
  if (fd_ < 0 || ::poll(&readable, 1, kReadMs) != 1) return false;
  char bytes[64 << 10];
  const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
  if (got <= 0) return false;
  in_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

std::string RawPeer::read_until(std::string_view end) {
  std::size_t at = std::string::npos;
  while ((at = in_.find(end)) == std::string::npos)
    if (!read_more()) return std::exchange(in_, {});
  return read_bytes(at + end.size());
}

std::string RawPeer::read_bytes(std::size_t count) {
  while (in_.size() < count)
    if (!read_more()) return std::exchange(in_, {});
  std::string bytes = in_.substr(0, count);
  in_.erase(0, count);
  return bytes;
}

RawPeer::Response RawPeer::read_response(bool head_only) {
  Response response;
  response.head = read_until("\r\n\r\n");
  if (!response.head.ends_with("\r\n\r\n")) return response;
  response.status = std::atoi(response.head.substr(9, 3).c_str());
  response.complete = true;
  if (head_only) return response;
  if (response.head.find("Transfer-Encoding: chunked") != std::string::npos) {
    response.body = read_chunks(response.complete);
  } else if (const auto at = response.head.find("Content-Length: "); at != std::string::npos) {
    const std::size_t size = std::strtoul(response.head.c_str() + at + 16, nullptr, 10);
    response.body = read_bytes(size);
    response.complete = response.body.size() == size;
  }
  return response;
}

std::string RawPeer::read_chunks(bool& complete) {
  std::string body;
  for (;;) {
    const std::string line = read_until("\r\n");
    const std::size_t size = std::strtoul(line.c_str(), nullptr, 16);
    const std::string chunk = read_bytes(size + 2);
    complete = line.ends_with("\r\n") && chunk.size() == size + 2;
    if (!complete || size == 0) return body;
    body += chunk.substr(0, size);
  }
}

std::string RawPeer::read_to_end() {
  while (read_more()) {
  }
  return std::exchange(in_, {});
}

bool RawPeer::closed_by_server() {
  pollfd readable{fd_, POLLIN, 0};
  if (!in_.empty() || ::poll(&readable, 1, kReadMs) != 1) return false;
  char byte = 0;
  return ::recv(fd_, &byte, 1, 0) <= 0;
}

void RawPeer::close_sending() {
  ::shutdown(fd_, SHUT_WR);
}

void RawPeer::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(std::exchange(fd_, -1));
}

}  // namespace qiao::net
