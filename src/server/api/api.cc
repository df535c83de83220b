// SPDX-License-Identifier: Apache-2.0
#include "server/api/api.h"

#include <algorithm>

namespace qiao::server {
namespace {

// History is written behind: what was acked is waited for this long, then read as it is.
constexpr std::int64_t kHistoryWaitMs = 2'000;

}  // namespace

FlowEngine* find_flow(const Flows& flows, std::string_view name) {
  for (const auto& flow : flows) {
    if (flow->config().name == name) return flow.get();
  }
  return nullptr;
}

void answer_from_history(const ApiServices& services, Writer writer,
                         std::function<Result<Json>(History&)> read, std::uint64_t until) {
  const Status posted = services.readers.post([&services, writer, read = std::move(read), until] {
    const Status caught_up =
        services.history.wait_for(std::max(until, services.log.bounds().durable), kHistoryWaitMs);
    if (!caught_up && caught_up.error().code != Code::kDeadline)
      return send_error(*writer, caught_up.error());
    const Result<Json> json = read(services.history);
    if (!json) return send_error(*writer, json.error());
    send_json(*writer, 200, *json);
  });
  if (!posted) send_error(*writer, posted.error());
}

void add_all_routes(Router& router, const ApiServices& services) {
  add_health_routes(router, services);
  add_topic_routes(router, services);
  add_topic_settings_routes(router, services);
  add_subscribe_route(router, services);
  add_group_routes(router, services);
  add_message_routes(router, services);
  add_conversation_routes(router, services);
  add_replay_routes(router, services);
  add_stream_routes(router, services);
  add_approval_routes(router, services);
  add_flow_routes(router, services);
  add_bundle_routes(router, services);
  add_openai_routes(router, services);
}

}  // namespace qiao::server
