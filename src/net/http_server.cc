// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <future>
#include <utility>

#include "base/logging.h"
#include "net/connection.h"
#include "net/core.h"
#include "net/io_thread.h"

namespace qiao {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// When the process has no descriptor left, accepting again at once would spin.
constexpr std::chrono::milliseconds kAcceptPause{100};
// A tick a quarter of the shortest timeout, so that none is over by more than that.
constexpr std::int64_t kTickMsMin = 10;
constexpr std::int64_t kTickMsMax = 500;

std::int64_t tick_ms(const HttpServerOptions& options) {
  const std::int64_t shortest =
      std::min({options.header_timeout_ms, options.body_timeout_ms, options.idle_timeout_ms});
  return std::clamp(shortest / 4, kTickMsMin, kTickMsMax);
}

std::string place(const HttpServerOptions& options) {
  return options.address + ":" + std::to_string(options.port);
}

Error bind_error(const HttpServerOptions& options, const error_code& error) {
  if (error == boost::asio::error::address_in_use)
    return {Code::kConflict, "port " + std::to_string(options.port) + " of " + options.address +
                                 " is in use: stop the program that has it, or listen on another"};
  if (error == boost::asio::error::access_denied)
    return {Code::kPermission, "not allowed to listen on " + place(options) +
                                   ": ports below 1024 need a right; choose a higher one"};
  return unavailable("cannot listen on " + place(options) + ": " + error.message());
}

}  // namespace

class HttpServer::Impl : public std::enable_shared_from_this<HttpServer::Impl> {
 public:
  Impl(HttpServerOptions options, Handler handler, Metrics& metrics)
      : core_(std::make_shared<net::Core>(std::move(options), std::move(handler), metrics)) {}

  Result<std::uint16_t> start();
  void stop(std::int64_t grace_ms);

 private:
  using Acceptor = boost::asio::basic_socket_acceptor<tcp, boost::asio::io_context::executor_type>;

  Status listen();
  void accept();
  void on_accepted(const std::shared_ptr<net::IoThread>& thread, const error_code& error,
                   net::Connection::Socket socket);
  void admit(const std::shared_ptr<net::IoThread>& thread, net::Connection::Socket socket);
  void accept_later();
  void stop_accepting();

  const std::shared_ptr<net::Core> core_;
  std::vector<std::shared_ptr<net::IoThread>> threads_;
  std::unique_ptr<Acceptor> acceptor_;                // lives on the first thread
  std::unique_ptr<boost::asio::steady_timer> pause_;  // as acceptor_
  std::size_t next_thread_ = 0;
};

Result<std::uint16_t> HttpServer::Impl::start() {
  const int count = std::max(1, core_->options.threads);
  for (int i = 0; i < count; ++i)
    threads_.push_back(std::make_shared<net::IoThread>(i, tick_ms(core_->options)));
  if (Status listening = listen(); !listening) {
    acceptor_.reset();
    pause_.reset();
    threads_.clear();
    return std::move(listening.error());
  }
  const std::uint16_t port = acceptor_->local_endpoint().port();
  accept();
  for (const auto& thread : threads_) thread->start();
  return port;
}

Status HttpServer::Impl::listen() {
  const HttpServerOptions& options = core_->options;
  error_code error;
  const auto address = boost::asio::ip::make_address(
      options.address == "localhost" ? "127.0.0.1" : options.address, error);
  if (error)
    return invalid_argument("\"" + options.address +
                            "\" is not an address to listen on: give one like 127.0.0.1 or ::1");
  const tcp::endpoint endpoint(address, options.port);
  auto& context = threads_.front()->context();
  acceptor_ = std::make_unique<Acceptor>(context);
  pause_ = std::make_unique<boost::asio::steady_timer>(context);
  acceptor_->open(endpoint.protocol(), error);
  if (!error) acceptor_->set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor_->bind(endpoint, error);
  if (!error) acceptor_->listen(Acceptor::max_listen_connections, error);
  if (error) return bind_error(options, error);
  return {};
}

void HttpServer::Impl::accept() {
  const auto& thread = threads_[next_thread_++ % threads_.size()];
  acceptor_->async_accept(
      thread->context(),
      [self = shared_from_this(), thread](const error_code& error, net::Connection::Socket socket) {
        self->on_accepted(thread, error, std::move(socket));
      });
}

void HttpServer::Impl::on_accepted(const std::shared_ptr<net::IoThread>& thread,
                                   const error_code& error, net::Connection::Socket socket) {
  if (!acceptor_->is_open()) return;
  if (error == boost::asio::error::no_descriptors || error == boost::asio::error::no_memory ||
      error == boost::asio::error::no_buffer_space)
    return accept_later();
  if (!error) admit(thread, std::move(socket));
  accept();
}

void HttpServer::Impl::admit(const std::shared_ptr<net::IoThread>& thread,
                             net::Connection::Socket socket) {
  const net::Admission admission = core_->admit();
  if (admission == net::Admission::kDropped) return;
  auto connection = std::make_shared<net::Connection>(core_, thread, std::move(socket));
  thread->post([connection, admission] {
    admission == net::Admission::kWelcome ? connection->start() : connection->refuse();
  });
}

void HttpServer::Impl::accept_later() {
  log_warn("net", "no file descriptor is free for a new connection");
  pause_->expires_after(kAcceptPause);
  pause_->async_wait([self = shared_from_this()](const error_code& error) {
    if (!error && self->acceptor_->is_open()) self->accept();
  });
}

void HttpServer::Impl::stop_accepting() {
  std::promise<void> done;
  threads_.front()->post([&] {
    error_code ignored;
    acceptor_->close(ignored);
    pause_->cancel();
    done.set_value();
  });
  done.get_future().wait();
}

void HttpServer::Impl::stop(std::int64_t grace_ms) {
  if (threads_.empty()) return;
  core_->stopping = true;
  stop_accepting();
  for (const auto& thread : threads_) thread->post([thread] { thread->finish_connections(); });
  (void)core_->wait_until_none_open(grace_ms);
  for (const auto& thread : threads_) thread->post([thread] { thread->close_connections(); });
  for (const auto& thread : threads_) thread->join();
  acceptor_.reset();
  pause_.reset();
  threads_.clear();
}

HttpServer::HttpServer(HttpServerOptions options, Handler handler, Metrics& metrics)
    : impl_(std::make_shared<Impl>(std::move(options), std::move(handler), metrics)) {}

HttpServer::~HttpServer() {
  impl_->stop(0);
}

Result<std::uint16_t> HttpServer::start() {
  return impl_->start();
}

void HttpServer::stop(std::int64_t grace_ms) {
  impl_->stop(grace_ms);
}

}  // namespace qiao
