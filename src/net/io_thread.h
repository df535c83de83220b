// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_set>

namespace qiao::net {

class Connection;

// One thread with its own loop and the connections that live on it: a connection never changes
// its thread, so its handlers need no lock and no strand. Deadlines are looked at by one tick for
// all, which costs a request nothing.
//
// Owned by the server and its connections. post() from any thread; the rest as each comment says.
class IoThread : public std::enable_shared_from_this<IoThread> {
 public:
  static constexpr std::size_t kReadBytes = 64 << 10;

  IoThread(int number, std::int64_t tick_ms);
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  void start();
  // Lets what is open end by itself; with close_connections() before, at once.
  void join();
  // Dropped after join().
  void post(std::function<void()> task);
  boost::asio::io_context& context() { return context_; }

  // This thread only.
  void add(std::shared_ptr<Connection> connection);
  void remove(const std::shared_ptr<Connection>& connection);
  void finish_connections();  // those without a running answer end now, the others after it
  void close_connections();
  std::array<char, kReadBytes>& read_space() { return read_space_; }

 private:
  void tick();

  const int number_;
  const std::int64_t tick_ms_;
  boost::asio::io_context context_{1};  // one thread runs it
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer timer_;
  bool ending_ = false;  // this thread's
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::array<char, kReadBytes> read_space_{};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace qiao::net
