// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/reply_id.h"

#include "base/digest.h"
#include "message/message.h"

namespace qiao {

std::string reply_id(const std::string& flow, const std::string& message_id) {
  std::string id = message_id + "." + flow;
  return id.size() <= kIdBytesMax ? id : sha256_hex(id);
}

}  // namespace qiao
