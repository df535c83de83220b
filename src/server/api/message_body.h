// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "broker/broker.h"
#include "message/message.h"

namespace qiao::server {

// A message for `subject` from the body of a request; unknown keys are errors.
Result<Message> message_of(const std::string& subject, const Json& body);

// How messages were taken, one object each.
Json published_json(const std::vector<Published>& published);

// A stored message with its "offset".
Json stored_json(std::uint64_t offset, const Message& message);

}  // namespace qiao::server
