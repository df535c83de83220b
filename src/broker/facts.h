// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "broker/hash.h"
#include "message/message.h"
#include "message/wire.h"

namespace qiao::broker {

inline constexpr std::uint8_t kUsualPriority = 4;

// What a message asks of its delivery where that is not as usual. Kept for such messages only.
struct Facts {
  std::int64_t deliver_at_ms = 0;
  std::int64_t deadline_ms = 0;
  std::uint8_t priority = kUsualPriority;

  [[nodiscard]] bool usual() const { return *this == Facts{}; }
  friend bool operator==(const Facts&, const Facts&) = default;
};

// A time that is over when the message is accepted asks for nothing.
inline Facts facts_of(const Message& message) {
  Facts facts;
  if (message.deliver_at_ms > message.time_ms) facts.deliver_at_ms = message.deliver_at_ms;
  facts.deadline_ms = message.deadline_ms;
  facts.priority = message.priority;
  return facts;
}

// Of compaction, as it is listed; 0: it has no key.
inline std::uint64_t key_of(const Message& message) {
  if (message.key.empty()) return 0;
  return std::max<std::uint64_t>(1, stable_hash(message.key));
}

// What counts towards the bytes of a topic: parts and headers.
inline std::uint64_t bytes_of(const Message& message) {
  std::uint64_t bytes = 0;
  for (const Part& part : message.parts) bytes += part.data.size() + part.media_type.size();
  for (const auto& [name, value] : message.headers) bytes += name.size() + value.size();
  return bytes;
}

inline void put_facts(std::string& out, const Facts& facts) {
  put_signed(out, facts.deliver_at_ms);
  put_signed(out, facts.deadline_ms);
  put_varint(out, facts.priority);
}

inline Facts take_facts(WireReader& in) {
  Facts facts;
  facts.deliver_at_ms = in.signed_varint();
  facts.deadline_ms = in.signed_varint();
  facts.priority = static_cast<std::uint8_t>(in.varint());
  return facts;
}

}  // namespace qiao::broker
