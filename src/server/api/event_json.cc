// SPDX-License-Identifier: Apache-2.0
#include "server/api/event_json.h"

namespace qiao::server {

Json events_json(const std::vector<HistoryEvent>& events) {
  Json list = Json::array();
  for (const auto& [offset, event] : events) {
    list.push_back({{"offset", offset},
                    {"time_ms", event.time_ms},
                    {"conversation", event.conversation},
                    {"message_id", event.message_id},
                    {"type", event.type},
                    {"data", event.data}});
  }
  return list;
}

}  // namespace qiao::server
