// SPDX-License-Identifier: Apache-2.0
// GET /v1/streams/{message_id}: an answer while it is written.
#include <atomic>
#include <mutex>

#include "flow/turn/reply_id.h"
#include "server/api/answer_reader.h"
#include "server/api/api.h"
#include "server/api/sse.h"

namespace qiao::server {
namespace {

constexpr std::int64_t kHistoryWaitMs = 2'000;
// How long a reader that comes back may wait for the head while the log is asked for its stream.
constexpr std::int64_t kHeadWaitMs = 500;

const char* name_of(StreamEvent::Kind kind) {
  switch (kind) {
    case StreamEvent::Kind::kText:
      return "text";
    case StreamEvent::Kind::kReset:
      return "reset";
    case StreamEvent::Kind::kInfo:
      return "info";
    case StreamEvent::Kind::kEnd:
      return "end";
  }
  return "info";
}

Json data_of(const StreamEvent& event) {
  if (event.kind == StreamEvent::Kind::kText) return Json{{"text", event.text}};
  return event.data.is_null() ? Json(Json::object()) : event.data;
}

// One reader of one answer. Held by its AnswerReader's hooks.
class StreamFeed : public std::enable_shared_from_this<StreamFeed> {
 public:
  StreamFeed(const ApiServices& services, Writer writer, std::string message_id)
      : services_(services),
        writer_(std::move(writer)),
        message_id_(std::move(message_id)),
        heartbeat_(std::make_shared<Heartbeat>(services.broker_loop, writer_)) {}

  void start(StreamPlace from) {
    from_ = from;
    AnswerReader::Hooks hooks;
    hooks.on_event = [self = shared_from_this()](const StreamEvent& event) {
      return self->send(event);
    };
    hooks.on_over = [self = shared_from_this()](const Status& status) { self->over(status); };
    hooks.on_unwritten = [self = shared_from_this()] { self->look_back(); };
    const auto reader = std::make_shared<AnswerReader>(
        AnswerReader::Places{services_.streams, services_.broker_loop}, message_id_,
        std::move(hooks));
    reader_ = reader;
    writer_->on_close([weak = reader_] {
      if (const auto self = weak.lock()) self->leave();
    });
    heartbeat_->start();  // beats long after the head
    if (from == StreamPlace{}) {
      begin();
    } else {
      (void)services_.broker_loop.post_after(kHeadWaitMs, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->begin();
      });
    }
    reader->start(from);
  }

 private:
  // The head, once. A reader that comes back gets it with what comes first: whoever has had all of
  // it gets 204 instead, which tells an EventSource not to come again.
  void begin() {
    std::call_once(head_, [this] { begin_sse(*writer_); });
  }

  // True: the reader had everything, and nothing was sent.
  bool had_everything() {
    bool answered = false;
    std::call_once(head_, [this, &answered] {
      writer_->respond(204, {}, {});
      answered = true;
    });
    return answered;
  }

  Status send(const StreamEvent& event) {
    begin();
    sent_ = true;
    return writer_->write(
        sse_event(name_of(event.kind), data_of(event), to_text({event.attempt, event.offset})));
  }

  void over(const Status& status) {
    heartbeat_->stop();
    if (status && had_everything()) return;
    begin();
    if (status) return writer_->end();
    if (status.error().code == Code::kOverloaded)
      services_.metrics
          .counter("qiao_stream_readers_cut_total", "Readers of answers that were too slow")
          .add();
    end_sse_with(*writer_, status.error());
  }

  // Nobody writes the answer. If it is finished, its message is what is left of it; if not, it is
  // yet to come.
  void look_back() {
    begin();
    (void)services_.readers.post([self = shared_from_this()] {
      if (const auto reply = self->finished_reply()) self->send_finished(*reply);
    });
  }

  std::optional<Message> finished_reply() const {
    const std::uint64_t durable = services_.log.bounds().durable;
    if (!services_.history.wait_for(durable, kHistoryWaitMs)) return std::nullopt;
    for (const auto& flow : services_.flows) {
      auto found = services_.history.message(reply_id(flow->config().name, message_id_));
      if (found) return std::move(found->message);
    }
    return std::nullopt;
  }

  // Without ids: a reader that comes back for more gets all of it again.
  void send_finished(const Message& reply) {
    const auto reader = reader_.lock();
    if (!reader || !reader->leave()) return;
    if (sent_ || from_ != StreamPlace{})
      (void)writer_->write(sse_event("reset", Json{{"reason", "the whole answer follows"}}));
    (void)writer_->write(sse_event("text", Json{{"text", reply.text()}}));
    (void)writer_->write(sse_event(
        "end",
        Json{{"message_id", reply.id}, {"finish", "reply"}, {"conversation", reply.conversation}}));
    heartbeat_->stop();
    writer_->end();
  }

  const ApiServices& services_;
  const Writer writer_;
  const std::string message_id_;
  const std::shared_ptr<Heartbeat> heartbeat_;
  std::weak_ptr<AnswerReader> reader_;
  std::once_flag head_;
  StreamPlace from_;
  std::atomic<bool> sent_{false};
};

}  // namespace

void add_stream_routes(Router& router, const ApiServices& services) {
  router.add("GET", "/v1/streams/{message_id}", [&services](const Call& call) {
    const Result<StreamPlace> from = resume_place(call.request);
    if (!from) return send_error(*call.writer, from.error());
    std::make_shared<StreamFeed>(services, call.writer, call.parameter)->start(*from);
  });
}

}  // namespace qiao::server
