// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/steady_ms.h"
#include "net/core.h"
#include "net/io_thread.h"
#include "net/outbox.h"
#include "net/request_reader.h"

namespace qiao::net {

// One connection: reads requests, hands them over one at a time and in order, writes the answers.
// It always watches for readability, also while an answer is made: that is how it learns that the
// peer has left. Bytes that come early wait in `in_` (at most header_bytes_max and one read).
// Nothing is held for a waiting stream but this object: no stack, no buffer.
//
// Owned by its IoThread until it closes, then by the writers still in handlers' hands. The net
// thread only, but for send(), answered() and when_peer_leaves().
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp,
                                                  boost::asio::io_context::executor_type>;

  Connection(std::shared_ptr<Core> core, std::shared_ptr<IoThread> thread, Socket socket);
  ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  // Answers 503 instead of reading; for a connection that Core did not admit.
  void refuse();
  // Ends now when no answer is being made, else after it.
  void finish();
  void close();
  [[nodiscard]] bool is_late(std::int64_t now) const {
    return deadline_ms_ > 0 && now >= deadline_ms_;
  }
  void on_late();

  // From any thread.
  Outbox::Pushed send(std::string bytes, Rest rest);
  void answered(int status) { core_->answered(status); }
  void when_peer_leaves(std::function<void()> task);

 private:
  enum class Stage {
    kIdle,    // between requests
    kHeader,  // reading
    kBody,    // reading
    kAnswer,  // with the handler, or on its way out
    kDrain,   // our side is closed; what the peer still sends is thrown away
    kClosed,
  };

  void open();
  void wait_readable();
  void on_readable();
  void keep(std::size_t bytes);
  void on_end_of_input(bool broken);
  void advance();
  bool step();
  void read_request();
  void hand_over();
  void answer_fault(HttpFault fault);

  void flush();
  bool write_some();  // false: waits for the peer, or is closed
  bool refill();
  void finish_answer();
  void drain();
  void run_later(Outbox::Tasks tasks);
  void drop_later(Outbox::Tasks tasks);
  void set_deadline(std::int64_t delay_ms) { deadline_ms_ = steady_ms() + delay_ms; }

  const std::shared_ptr<Core> core_;
  const std::shared_ptr<IoThread> thread_;
  Socket socket_;  // destroyed before its thread
  std::string peer_;
  Stage stage_ = Stage::kIdle;
  std::int64_t deadline_ms_ = 0;  // 0: none
  Admission admission_ = Admission::kWelcome;
  bool waits_readable_ = false;
  bool waits_writable_ = false;
  bool advancing_ = false;
  bool input_ended_ = false;
  bool keep_alive_ = true;
  bool counted_stream_ = false;
  std::unique_ptr<RequestReader> reader_;
  std::string in_;  // read and not yet parsed, from in_at_ on
  std::size_t in_at_ = 0;
  std::size_t drained_ = 0;
  std::string out_;  // to be written, from out_at_ on
  std::size_t out_at_ = 0;
  Rest rest_ = Rest::kMore;  // after out_
  Outbox outbox_;
};

}  // namespace qiao::net
