// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace qiao::net {

// The other side of a connection to 127.0.0.1: a bare socket, so that a test decides which bytes
// go when and how the connection ends. Every read gives up after `kReadMs`. One thread.
class RawPeer {
 public:
  static constexpr int kReadMs = 5'000;

  explicit RawPeer(std::uint16_t port);
  ~RawPeer();
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  void send(std::string_view bytes);
  // Up to and with `end`, or what came before the end of the connection or the time.
  std::string read_until(std::string_view end);
  std::string read_bytes(std::size_t count);
  // One response with its body by Content-Length or chunks (body decoded).
  struct Response {
    int status = 0;
    std::string head;
    std::string body;
    bool complete = false;  // false: the connection ended within
  };
  Response read_response(bool head_only = false);
  // Everything up to the end of the connection.
  std::string read_to_end();
  // True when the other side closes (or resets) within kReadMs and sends nothing more.
  bool closed_by_server();
  void close_sending();
  void reset();  // closes with RST

 private:
  bool read_more();  // false: ended or out of time
  std::string read_chunks(bool& complete);

  int fd_;
  std::string in_;
};

}  // namespace qiao::net
