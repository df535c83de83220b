// SPDX-License-Identifier: Apache-2.0
#include "model/worker/worker_link.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "model/llama/local_model.h"
#include "model/worker/worker_codec.h"

namespace qiao::model {
namespace {

constexpr std::size_t kLinkReadBytes = 256 << 10;
constexpr std::int64_t kEndWaitMs = 500;
// Of a worker that is given no other limit: the file, a rearranged copy of it, and context.
constexpr std::size_t kMemoryBesideFiles = std::size_t{2} << 30;

// Set in every worker. A program that is no worker, started as one by mistake, would otherwise
// start itself again and again.
constexpr const char* kWorkerVariable = "QIAO_IS_WORKER";

// A descriptor closed when it goes out of scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

ModelOptions with_memory(const ModelOptions& options, int file) {
  ModelOptions full = options;
  struct stat status {};
  if (full.memory_bytes_max == 0 && ::fstat(file, &status) == 0) {
    full.memory_bytes_max = static_cast<std::size_t>(status.st_size) * 2 + kMemoryBesideFiles;
  }
  return full;
}

// The first frame, with the files. The socket is empty, so all of it goes at once.
Status send_model(int socket, const ModelFiles& files, const ModelOptions& options) {
  std::string bytes;
  append_frame(bytes, FrameType::kOpen, 0, encode_options(with_memory(options, files.weights())));
  iovec part{bytes.data(), bytes.size()};
  const int sent_files[] = {files.weights(), files.adapter()};
  const std::size_t size = sizeof(int) * (files.adapter() < 0 ? 1 : 2);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof sent_files)]{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(size);
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(head), sent_files, size);
  const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(bytes.size())) return {};
  return unavailable(std::string("cannot give a worker its model: ") + std::strerror(errno));
}

}  // namespace

Result<std::unique_ptr<WorkerLink>> WorkerLink::start(const ModelOptions& options) {
  if (std::getenv(kWorkerVariable) != nullptr) {
    return Error{Code::kPrecondition, "a worker starts no workers of its own"};
  }
  QIAO_ASSIGN(const ModelFiles files, open_model_files(options));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return unavailable(std::string("no socket for a worker: ") + std::strerror(errno));
  }
  Descriptor ours(ends[0]);
  const Descriptor theirs(ends[1]);
  ProcessOptions process;
  const auto program =
      options.worker_program.empty() ? std::string("/proc/self/exe") : options.worker_program;
  process.arguments = {program, "worker", "--fd", std::to_string(theirs.get())};
  process.keep_fd = theirs.get();
  process.environment = {{kWorkerVariable, "1"}};
  QIAO_ASSIGN(auto started, ChildProcess::start(process));
  auto link = std::unique_ptr<WorkerLink>(new WorkerLink(std::move(started), ours.release()));
  QIAO_TRY(send_model(link->socket(), files, options));
  return link;
}

WorkerLink::~WorkerLink() {
  process_->terminate(0);
  ::close(socket_);
}

// False when the worker is gone.
bool WorkerLink::write_some() {
  while (wants_to_write()) {
    const ssize_t n = ::send(socket_, out_.data() + written_, out_.size() - written_,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    written_ += static_cast<std::size_t>(n);
  }
  out_.clear();
  written_ = 0;
  return true;
}

bool WorkerLink::read_some() {
  char buffer[kLinkReadBytes];
  const ssize_t n = ::recv(socket_, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  reader_.feed({buffer, static_cast<std::size_t>(n)});
  return n > 0;
}

Result<std::vector<Frame>> WorkerLink::exchange() {
  const bool alive = write_some() && read_some();
  std::vector<Frame> frames;
  while (true) {
    auto frame = reader_.next();
    if (!frame) return Error{Code::kModelFailed, "sent what is no answer"};
    if (!*frame) break;
    frames.push_back(std::move(**frame));
  }
  // Its last words come before the news of its end.
  if (!alive && frames.empty()) return Error{Code::kModelFailed, how_it_ended()};
  return frames;
}

std::string WorkerLink::how_it_ended() {
  const auto status = process_->wait(kEndWaitMs);
  if (!status) return "closed its socket";
  if (*status >= 128) return "ended with signal " + std::to_string(*status - 128);
  return "ended with status " + std::to_string(*status);
}

}  // namespace qiao::model
