// SPDX-License-Identifier: Apache-2.0
// The worker's side: one process that serves one model on a socket.
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/logging.h"
#include "model/llama/local_model.h"
#include "model/open_model.h"
#include "model/worker/worker_codec.h"
#include "model/worker/worker_frame.h"
#include "model/worker/worker_sandbox.h"

namespace qiao {
namespace model {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;

// A chat model computes for seconds on all it gets. With this niceness the broker, its syncs and
// the encoders run at once when they have work, so that a chat model may have every core.
constexpr int kChatNiceness = 10;

void yield_to_others(ModelOptions& options) {
  if (options.encoder) return;
  const bool yields = ::setpriority(PRIO_PROCESS, 0, kChatNiceness) == 0;
  if (yields && options.threads == 0) {
    options.threads = std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
  }
}

// The socket to the supervisor. send() may be called on any thread, the rest on one.
class Channel {
 public:
  explicit Channel(int fd) : fd_(fd) {}

  void send(FrameType type, std::uint64_t id, std::string_view body) {
    std::string bytes;
    append_frame(bytes, type, id, body);
    const std::lock_guard lock(mutex_);
    for (std::string_view rest = bytes; !rest.empty();) {
      const ssize_t n = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;  // the supervisor is gone: receive() ends too
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void fail(std::uint64_t id, const Error& error) {
    send(FrameType::kFailed, id, encode_error(error));
  }

  // The next frame, or nothing when the supervisor is gone or sends what is none.
  std::optional<Frame> receive() {
    while (true) {
      auto frame = reader_.next();
      if (!frame) return std::nullopt;
      if (*frame) return std::move(**frame);
      if (!read_some()) return std::nullopt;
    }
  }
  // The descriptors that came along with a frame: the model's, perhaps its adapter's; -1: none.
  ModelFiles take_files() {
    return ModelFiles(std::exchange(files_[0], -1), std::exchange(files_[1], -1));
  }

 private:
  bool read_some() {
    buffer_.resize(kReadBytes);
    iovec part{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof files_)];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t n = 0;
    do {
      n = ::recvmsg(fd_, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) return false;
    const cmsghdr* head = CMSG_FIRSTHDR(&message);
    if (head != nullptr && head->cmsg_type == SCM_RIGHTS) {
      const std::size_t size = head->cmsg_len - CMSG_LEN(0);
      std::memcpy(files_, CMSG_DATA(head), std::min(size, sizeof files_));
    }
    reader_.feed(std::string_view(buffer_).substr(0, static_cast<std::size_t>(n)));
    return true;
  }

  int fd_;
  std::mutex mutex_;
  FrameReader reader_;
  std::string buffer_;
  int files_[2] = {-1, -1};
};

// Requests of the supervisor to the model and its answers back.
class Service {
 public:
  Service(Channel& channel, std::shared_ptr<LocalModel> model)
      : channel_(channel), model_(std::move(model)) {}

  void handle(const Frame& frame) {
    const auto done = [&]() -> Status {
      switch (frame.type) {
        case FrameType::kGenerate:
          return generate(frame);
        case FrameType::kEmbed:
          return embed(frame);
        case FrameType::kEncode:
          return encode(frame);
        case FrameType::kCount:
          return count(frame);
        case FrameType::kCancel:
          cancel(frame.id);
          return {};
        case FrameType::kPing:
          pong();
          return {};
        default:
          return Error{Code::kCorrupt, "a worker got a frame it does not know"};
      }
    }();
    if (!done) channel_.fail(frame.id, done.error());
  }

 private:
  Status generate(const Frame& frame) {
    QIAO_ASSIGN(const auto left_ms, number_of_bytes(frame.body));
    QIAO_ASSIGN(auto request, decode_request(std::string_view(frame.body).substr(8)));
    request.deadline_ms = static_cast<std::int64_t>(left_ms);
    const auto id = frame.id;
    {
      const std::lock_guard lock(mutex_);
      running_[id] = 0;
    }
    const auto started = model_->generate(
        std::move(request),
        [this, id](std::string_view piece) { channel_.send(FrameType::kText, id, piece); },
        [this, id](const Result<Generated>& generated) { finish(id, generated); });
    const std::lock_guard lock(mutex_);
    if (const auto at = running_.find(id); at != running_.end()) at->second = started;
    return {};
  }

  void finish(std::uint64_t id, const Result<Generated>& generated) {
    {
      const std::lock_guard lock(mutex_);
      running_.erase(id);
    }
    if (!generated) return channel_.fail(id, generated.error());
    channel_.send(FrameType::kDone, id, encode_generated(*generated));
  }

  void cancel(std::uint64_t id) {
    Model::RequestId started = 0;
    {
      const std::lock_guard lock(mutex_);
      const auto at = running_.find(id);
      if (at == running_.end()) return;
      started = at->second;
    }
    model_->cancel(started);
  }

  Status embed(const Frame& frame) {
    QIAO_ASSIGN(auto texts, decode_texts(frame.body));
    model_->embed(std::move(texts), send_vectors(frame.id));
    return {};
  }

  Status encode(const Frame& frame) {
    QIAO_ASSIGN(auto tokens, decode_tokens(frame.body));
    model_->encode(std::move(tokens), send_vectors(frame.id));
    return {};
  }

  Model::OnEmbedded send_vectors(std::uint64_t id) {
    return [this, id](const Result<Embeddings>& vectors) {
      if (!vectors) return channel_.fail(id, vectors.error());
      const auto body = encode_vectors(*vectors);
      if (body.size() > kFrameBytesMax) {
        return channel_.fail(id, invalid_argument("too many vectors for one request"));
      }
      channel_.send(FrameType::kDone, id, body);
    };
  }

  Status count(const Frame& frame) {
    QIAO_ASSIGN(const auto tokens, model_->count_tokens(frame.body));
    channel_.send(FrameType::kDone, frame.id, bytes_of_number(static_cast<std::uint64_t>(tokens)));
    return {};
  }

  void pong() {
    const auto progress = model_->progress();
    auto body = bytes_of_number(progress.steps);
    body.push_back(progress.busy ? '\1' : '\0');
    channel_.send(FrameType::kPong, 0, body);
  }

  Channel& channel_;
  std::mutex mutex_;
  std::map<std::uint64_t, Model::RequestId> running_;  // by the supervisor's number
  std::shared_ptr<LocalModel> model_;                  // last: its callbacks use the others
};

Result<std::shared_ptr<LocalModel>> open_restricted(Channel& channel, const Frame& frame,
                                                    const Clock& clock) {
  ModelFiles files = channel.take_files();
  QIAO_ASSIGN(auto options, decode_options(frame.body));
  if (frame.type != FrameType::kOpen || files.weights() < 0) {
    return Error{Code::kCorrupt, "a worker must be given a model first"};
  }
  yield_to_others(options);
  QIAO_TRY(restrict_process(options.memory_bytes_max));
  return open_local(options, std::move(files), clock);
}

}  // namespace
}  // namespace model

int run_worker(int fd) {
  set_log_level(LogLevel::kWarn);  // before the restriction: its sink must be open
  model::close_all_but(fd);
  model::Channel channel(fd);
  const SystemClock clock;
  const auto first = channel.receive();
  if (!first) return 1;
  auto opened = model::open_restricted(channel, *first, clock);
  if (!opened) {
    channel.fail(0, opened.error());
    return 1;
  }
  const auto info = (*opened)->info();
  model::Service service(channel, std::move(*opened));
  channel.send(model::FrameType::kOpened, 0, model::encode_info(info));
  while (const auto frame = channel.receive()) service.handle(*frame);
  return 0;
}

}  // namespace qiao
