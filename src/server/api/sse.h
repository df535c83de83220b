// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/executor.h"
#include "base/json.h"
#include "base/result.h"
#include "broker/stream_event.h"
#include "server/api/answer.h"

namespace qiao::server {

// Server-sent events (WHATWG HTML, section 9.2): one event as text. The data is one line of JSON.
std::string sse_event(std::string_view event, const Json& data,
                      std::optional<std::uint64_t> id = std::nullopt);
std::string sse_event(std::string_view event, const Json& data, std::string_view id);
// The answer's head; the events follow.
void begin_sse(ResponseWriter& writer, HttpHeaders headers = {});
// "event: error" with the error, then the end.
void end_sse_with(ResponseWriter& writer, const Error& error);

// Where a reader goes on: after its Last-Event-ID, else at the query's `from`. No other query.
Result<std::optional<std::uint64_t>> resume_from(const HttpRequest& request);
// The same in a token stream: ids are places ("2.14"), `from` is an offset in the newest attempt.
Result<StreamPlace> resume_place(const HttpRequest& request);

// Writes a comment every `kEveryMs`, so that proxies keep a silent stream open and a dead peer is
// noticed. Lives on `loop` until stop() or until nobody else holds it. Loop only.
class Heartbeat : public std::enable_shared_from_this<Heartbeat> {
 public:
  static constexpr std::int64_t kEveryMs = 15'000;

  Heartbeat(Executor& loop, Writer writer) : loop_(loop), writer_(std::move(writer)) {}
  void start();
  void stop();

 private:
  Executor& loop_;
  Writer writer_;
  Executor::TimerId timer_ = 0;
};

}  // namespace qiao::server
