// SPDX-License-Identifier: Apache-2.0
#include "server/api/sse.h"

#include <charconv>

#include "server/api/fields.h"

namespace qiao::server {

std::string sse_event(std::string_view event, const Json& data, std::optional<std::uint64_t> id) {
  return sse_event(event, data, id ? std::to_string(*id) : std::string());
}

std::string sse_event(std::string_view event, const Json& data, std::string_view id) {
  std::string out;
  if (!id.empty()) out.append("id: ").append(id).append("\n");
  out.append("event: ").append(event).append("\ndata: ").append(dump_json(data)).append("\n\n");
  return out;
}

void begin_sse(ResponseWriter& writer, HttpHeaders headers) {
  headers.emplace_back("Content-Type", "text/event-stream");
  headers.emplace_back("X-Accel-Buffering", "no");  // nginx holds streams back otherwise
  writer.begin(200, std::move(headers));
}

void end_sse_with(ResponseWriter& writer, const Error& error) {
  // A reader that takes nothing more does not get the event either; the end tells it enough.
  (void)writer.write(sse_event("error", http_error_json(error)));
  writer.end();
}

Result<std::optional<std::uint64_t>> resume_from(const HttpRequest& request) {
  Query query(request.query);
  std::optional<std::uint64_t> from = query.integer("from", 0, INT64_MAX);
  QIAO_TRY(query.finish());
  const auto header = request.headers.find("last-event-id");
  if (header == request.headers.end() || header->second.empty()) return from;
  const std::string& text = header->second;
  std::uint64_t last = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), last);
  if (wrong != std::errc{} || end != text.data() + text.size() || last > INT64_MAX)
    return invalid_argument("Last-Event-ID must be an offset");
  return std::optional<std::uint64_t>(last + 1);
}

Result<StreamPlace> resume_place(const HttpRequest& request) {
  Query query(request.query);
  const std::uint64_t from = query.integer("from", 0, INT64_MAX).value_or(0);
  QIAO_TRY(query.finish());
  const auto header = request.headers.find("last-event-id");
  if (header == request.headers.end() || header->second.empty()) return StreamPlace{0, from};
  QIAO_ASSIGN(StreamPlace last, parse_place(header->second));
  ++last.offset;
  return last;
}

void Heartbeat::start() {
  timer_ = loop_.post_after(kEveryMs, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    const Status written = self->writer_->write(": still here\n\n");
    if (written || written.error().code == Code::kOverloaded) self->start();
  });
}

void Heartbeat::stop() {
  loop_.cancel(timer_);
}

}  // namespace qiao::server
