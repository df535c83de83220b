// SPDX-License-Identifier: Apache-2.0
// GET /v1/topics/{pattern}/subscribe: a pattern's messages as they come.
#include "message/subject.h"
#include "server/api/api.h"
#include "server/api/message_body.h"
#include "server/api/sse.h"

namespace qiao::server {
namespace {

constexpr std::size_t kReadStep = 64;          // messages of one step, so that the loop stays free
constexpr std::int64_t kRetryMs = 50;          // a full reader is tried again after
constexpr std::int64_t kStallUs = 30'000'000;  // a reader that takes nothing for so long is cut

// Feeds one reader. It reads what is kept until it has all, then follows live; a reader that is
// too slow to follow goes back to reading, from the first message it lacks, so none is ever left
// out. Broker loop only, but begin().
class TopicFeed : public std::enable_shared_from_this<TopicFeed> {
 public:
  TopicFeed(const ApiServices& services, Writer writer, std::string pattern)
      : services_(services),
        writer_(std::move(writer)),
        pattern_(std::move(pattern)),
        heartbeat_(std::make_shared<Heartbeat>(services.broker_loop, writer_)),
        progress_us_(services.clock.steady_us()) {}

  void begin(std::optional<std::uint64_t> from) {
    const Status posted = services_.broker_loop.post([self = shared_from_this(), from] {
      begin_sse(*self->writer_);
      self->heartbeat_->start();
      from ? self->read_from(*from) : self->go_live(std::nullopt);
    });
    if (!posted) return send_error(*writer_, posted.error());
    writer_->on_close([weak = weak_from_this(), &loop = services_.broker_loop] {
      const auto self = weak.lock();
      // A full loop drops the task; the next write then finds the peer gone.
      if (self) (void)loop.post([self] { self->leave(); });
    });
  }

 private:
  enum class Sent { kYes, kFull, kGone };

  void read_from(std::uint64_t from) {
    if (over_) return;
    services_.broker.read(pattern_, from, kReadStep,
                          [self = shared_from_this()](const Result<Page>& page) {
                            if (self->over_) return;
                            page ? self->send_page(*page) : self->fail(page.error());
                          });
  }

  void send_page(const Page& page) {
    for (const StoredMessage& stored : page.messages) {
      const Sent sent = send(stored);
      if (sent == Sent::kGone) return leave();
      if (sent == Sent::kFull) return wait_at(stored.offset);
    }
    page.messages.empty() ? go_live(page.next) : read_from(page.next);
  }

  void go_live(std::optional<std::uint64_t> from) {
    subscription_ = services_.broker.subscribe(
        pattern_, from, [self = shared_from_this()](const StoredMessage& stored) {
          if (self->over_ || self->waiting_) return;
          const Sent sent = self->send(stored);
          if (sent == Sent::kGone) return self->leave();
          if (sent == Sent::kFull) {
            self->unsubscribe();
            self->wait_at(stored.offset);
          }
        });
  }

  Sent send(const StoredMessage& stored) {
    const Status written = writer_->write(
        sse_event("message", stored_json(stored.offset, stored.message), stored.offset));
    if (written) {
      progress_us_ = services_.clock.steady_us();
      return Sent::kYes;
    }
    return written.error().code == Code::kOverloaded ? Sent::kFull : Sent::kGone;
  }

  void wait_at(std::uint64_t offset) {
    if (services_.clock.steady_us() - progress_us_ > kStallUs) {
      return fail(overloaded("the reader takes no messages; read on after the last id it got"));
    }
    waiting_ = true;
    // Holds the feed: nothing else does now.
    services_.broker_loop.post_after(kRetryMs, [self = shared_from_this(), offset] {
      self->waiting_ = false;
      self->read_from(offset);
    });
  }

  void fail(const Error& error) {
    end_sse_with(*writer_, error);
    leave();
  }

  void unsubscribe() {
    if (subscription_) services_.broker.unsubscribe(*subscription_);
    subscription_.reset();
  }

  void leave() {
    if (over_) return;
    over_ = true;
    unsubscribe();
    heartbeat_->stop();
  }

  const ApiServices& services_;
  Writer writer_;
  const std::string pattern_;
  std::shared_ptr<Heartbeat> heartbeat_;
  std::optional<Broker::SubscriptionId> subscription_;
  std::int64_t progress_us_;
  bool waiting_ = false;
  bool over_ = false;
};

}  // namespace

void add_subscribe_route(Router& router, const ApiServices& services) {
  router.add("GET", "/v1/topics/{pattern}/subscribe", [&services](const Call& call) {
    if (const Status valid = validate_pattern(call.parameter); !valid)
      return send_error(*call.writer, valid.error());
    const Result<std::optional<std::uint64_t>> from = resume_from(call.request);
    if (!from) return send_error(*call.writer, from.error());
    std::make_shared<TopicFeed>(services, call.writer, call.parameter)->begin(*from);
  });
}

}  // namespace qiao::server
