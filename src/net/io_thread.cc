// SPDX-License-Identifier: Apache-2.0
#include "net/io_thread.h"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/steady_ms.h"
#include "net/connection.h"

namespace qiao::net {

IoThread::IoThread(int number, std::int64_t tick_ms)
    : number_(number), tick_ms_(tick_ms), work_(context_.get_executor()), timer_(context_) {}

IoThread::~IoThread() = default;

void IoThread::start() {
  tick();
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), ("qiao-net-" + std::to_string(number_)).c_str());
    context_.run();
  });
}

void IoThread::join() {
  boost::asio::post(context_, [this] {
    ending_ = true;  // a tick that is due already cannot be cancelled
    timer_.cancel();
    work_.reset();
  });
  thread_.join();
  ended_ = true;
}

void IoThread::post(std::function<void()> task) {
  // What waits in a loop that has ended would keep its own connection, and so the loop, alive.
  if (!ended_) boost::asio::post(context_, std::move(task));
}

void IoThread::add(std::shared_ptr<Connection> connection) {
  connections_.insert(std::move(connection));
}

void IoThread::remove(const std::shared_ptr<Connection>& connection) {
  connections_.erase(connection);
}

void IoThread::finish_connections() {
  const std::vector<std::shared_ptr<Connection>> all(connections_.begin(), connections_.end());
  for (const auto& connection : all) connection->finish();
}

void IoThread::close_connections() {
  const std::vector<std::shared_ptr<Connection>> all(connections_.begin(), connections_.end());
  for (const auto& connection : all) connection->close();
}

void IoThread::tick() {
  timer_.expires_after(std::chrono::milliseconds(tick_ms_));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || ending_) return;
    const std::int64_t now = steady_ms();
    std::vector<std::shared_ptr<Connection>> late;
    for (const auto& connection : connections_)
      if (connection->is_late(now)) late.push_back(connection);
    for (const auto& connection : late) connection->on_late();
    tick();
  });
}

}  // namespace qiao::net
