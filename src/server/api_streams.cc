// SPDX-License-Identifier: Apache-2.0
// GET /v1/streams/{message_id}: an answer while it is written.
#include "server/answer_reader.h"
#include "server/api.h"
#include "server/sse.h"

namespace qiao::server {
namespace {

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

}  // namespace

void add_stream_routes(Router& router, const ApiServices& services) {
  router.add("GET", "/v1/streams/{message_id}", [&services](const Call& call) {
    const Result<std::optional<std::uint64_t>> from = resume_from(call.request);
    if (!from) return send_error(*call.writer, from.error());
    const Writer writer = call.writer;
    auto heartbeat = std::make_shared<Heartbeat>(services.broker_loop, writer);
    begin_sse(*writer);
    AnswerReader::Hooks hooks;
    hooks.on_event = [writer](const StreamEvent& event) {
      return writer->write(sse_event(name_of(event.kind), data_of(event), event.offset));
    };
    hooks.on_over = [writer, heartbeat](const Status& status) {
      heartbeat->stop();
      status ? writer->end() : end_sse_with(*writer, status.error());
    };
    const auto reader =
        std::make_shared<AnswerReader>(AnswerReader::Places{services.streams, services.broker_loop},
                                       call.parameter, std::move(hooks));
    writer->on_close([weak = std::weak_ptr(reader)] {
      if (const auto self = weak.lock()) self->leave();
    });
    heartbeat->start();
    reader->start(from->value_or(0));
  });
}

}  // namespace qiao::server
