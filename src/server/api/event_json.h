// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/json.h"
#include "history/history.h"

namespace qiao::server {

// A list of {"offset","time_ms","conversation","message_id","type","data"}.
Json events_json(const std::vector<HistoryEvent>& events);

}  // namespace qiao::server
