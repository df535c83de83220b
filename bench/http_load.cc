// SPDX-License-Identifier: Apache-2.0
// Publishes over HTTP as fast as asked, whatever the server does: an open loop. Arrivals come at a
// fixed rate; each takes a free connection, or waits for one at most `wait_ms` and then counts as
// given up. Rate 0 is a closed loop: every connection publishes again as soon as it is acked.
// Prints one JSON line; the numbers of the acked messages go to a file, one a line.
//
//   http_load PORT KEY SUBJECT FIRST_NUMBER RATE CONNECTIONS SECONDS ACKED_FILE
//
// One thread, epoll, loopback only.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

namespace {

constexpr double kWaitS = 1.0;   // an arrival waits so long for a connection
constexpr double kAfterS = 5.0;  // for the last answers
constexpr std::size_t kWaitingMax = 1'000'000;
constexpr int kEvents = 512;
constexpr int kAddresses = 200;  // 127.0.0.2 and on

double now_s() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

struct Connection {
  int fd = -1;
  long long number = -1;  // of the message on its way; -1: free
  double arrived_s = 0;
  double sent_s = 0;
  std::string in;
};

struct Load {
  int port = 0;
  std::string key, subject;
  long long next_number = 0;
  double rate = 0;
  double seconds = 0;
  int epoll = -1;
  std::vector<Connection> connections;
  std::vector<std::size_t> free;
  std::deque<double> waiting;  // arrival times
  std::vector<long long> acked;
  std::vector<double> ack_ms, whole_ms;
  long long sent = 0, refused = 0, failed = 0, given_up = 0, reconnects = 0, arrivals = 0;
};

bool open_connection(Load& load, std::size_t index) {
  Connection& c = load.connections[index];
  c = {};
  c.fd = ::socket(AF_INET, SOCK_STREAM, 0);
  if (c.fd < 0) return false;
  const int one = 1;
  ::setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(0x7f000002U + static_cast<unsigned>(index % kAddresses));
  (void)::bind(c.fd, reinterpret_cast<sockaddr*>(&own), sizeof own);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(load.port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(c.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return false;
  ::fcntl(c.fd, F_SETFL, O_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = index;
  ::epoll_ctl(load.epoll, EPOLL_CTL_ADD, c.fd, &event);
  load.free.push_back(index);
  return true;
}

void lose(Load& load, std::size_t index) {
  if (load.connections[index].number >= 0) ++load.failed;
  ::close(load.connections[index].fd);
  ++load.reconnects;
  std::erase(load.free, index);
  (void)open_connection(load, index);
}

void send_one(Load& load, double arrived_s) {
  const std::size_t index = load.free.back();
  load.free.pop_back();
  Connection& c = load.connections[index];
  c.number = load.next_number++;
  c.arrived_s = arrived_s;
  c.sent_s = now_s();
  const std::string body =
      "{\"id\":\"m" + std::to_string(c.number) + "\",\"text\":\"" + std::string(200, 'x') + "\"}";
  const std::string request =
      "POST /v1/topics/" + load.subject +
      "/messages HTTP/1.1\r\nHost: q\r\nAuthorization: Bearer " + load.key +
      "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  ++load.sent;
  if (::send(c.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    lose(load, index);
}

// Our server always answers with a Content-Length.
bool whole_answer(const std::string& in) {
  const std::size_t head = in.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  const std::size_t length = in.find("Content-Length: ");
  if (length == std::string::npos || length > head) return false;
  return in.size() >= head + 4 + static_cast<std::size_t>(std::atoll(in.c_str() + length + 16));
}

void take(Load& load, std::size_t index) {
  Connection& c = load.connections[index];
  char buffer[8192];
  const ssize_t bytes = ::recv(c.fd, buffer, sizeof buffer, 0);
  if (bytes < 0 && errno == EAGAIN) return;
  if (bytes <= 0) return lose(load, index);
  c.in.append(buffer, static_cast<std::size_t>(bytes));
  if (!whole_answer(c.in)) return;
  const int status = std::atoi(c.in.c_str() + 9);
  const double now = now_s();
  if (status == 200) {
    load.acked.push_back(c.number);
    load.ack_ms.push_back((now - c.sent_s) * 1e3);
    load.whole_ms.push_back((now - c.arrived_s) * 1e3);
  } else {
    ++load.refused;
  }
  c.in.clear();
  c.number = -1;
  load.free.push_back(index);
}

double quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1,
                         static_cast<std::size_t>(q * static_cast<double>(values.size())))];
}

void arrive(Load& load, double begin, double now) {
  if (load.rate > 0) {
    const auto due = static_cast<long long>((now - begin) * load.rate);
    for (; load.arrivals < due; ++load.arrivals) {
      if (load.waiting.size() < kWaitingMax) {
        load.waiting.push_back(begin + static_cast<double>(load.arrivals) / load.rate);
      } else {
        ++load.given_up;
      }
    }
  }
  while (!load.waiting.empty() && now - load.waiting.front() > kWaitS) {
    load.waiting.pop_front();
    ++load.given_up;
  }
  while (!load.free.empty() && (load.rate <= 0 || !load.waiting.empty())) {
    const double arrived = load.rate > 0 ? load.waiting.front() : now;
    if (load.rate > 0) load.waiting.pop_front();
    send_one(load, arrived);
  }
}

void run(Load& load) {
  const double begin = now_s();
  const double end = begin + load.seconds;
  epoll_event events[kEvents];
  for (double now = begin; now < end + kAfterS; now = now_s()) {
    if (now < end) arrive(load, begin, now);
    if (now >= end && load.free.size() == load.connections.size()) break;
    const int count = ::epoll_wait(load.epoll, events, kEvents, 1);
    for (int i = 0; i < count; ++i) take(load, events[i].data.u64);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 9) {
    std::fprintf(
        stderr,
        "usage: http_load PORT KEY SUBJECT FIRST_NUMBER RATE CONNECTIONS SECONDS ACKED_FILE\n");
    return 2;
  }
  Load load;
  load.port = std::atoi(argv[1]);
  load.key = argv[2];
  load.subject = argv[3];
  load.next_number = std::atoll(argv[4]);
  load.rate = std::atof(argv[5]);
  load.connections.resize(static_cast<std::size_t>(std::clamp(std::atoi(argv[6]), 1, 15'000)));
  load.seconds = std::clamp(std::atof(argv[7]), 0.1, 600.0);
  load.epoll = ::epoll_create1(0);
  for (std::size_t i = 0; i < load.connections.size(); ++i) {
    if (!open_connection(load, i)) {
      std::fprintf(stderr, "cannot connect: %s\n", std::strerror(errno));
      return 1;
    }
  }
  run(load);
  std::FILE* file = std::fopen(argv[8], "w");
  if (file == nullptr) return 1;
  for (const long long number : load.acked) std::fprintf(file, "%lld\n", number);
  std::fclose(file);
  std::printf(
      "{\"rate\":%.0f,\"connections\":%zu,\"seconds\":%.1f,\"sent\":%lld,\"acked\":%zu,\"goodput_"
      "per_s\":%.1f,\"refused\":%lld,\"failed\":%lld,"
      "\"given_up\":%lld,\"ack_p50_ms\":%.2f,\"ack_p99_ms\":%.2f,\"from_arrival_p99_ms\":%.2f,"
      "\"next_number\":%lld}\n",
      load.rate, load.connections.size(), load.seconds, load.sent, load.acked.size(),
      static_cast<double>(load.acked.size()) / load.seconds, load.refused, load.failed,
      load.given_up, quantile(load.ack_ms, 0.5), quantile(load.ack_ms, 0.99),
      quantile(load.whole_ms, 0.99), load.next_number);
  return 0;
}
