// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace qiao {

// The id of a flow's answer to a message: known before it is written, the same for every attempt.
std::string reply_id(const std::string& flow, const std::string& message_id);

}  // namespace qiao
