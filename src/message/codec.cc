// SPDX-License-Identifier: Apache-2.0
// The binary form of a message (docs/internals/log.md): fields in fixed order, version first.
#include "message/message.h"
#include "message/wire.h"

namespace qiao {
namespace {

constexpr std::uint64_t kVersion = 2;
constexpr std::uint64_t kVersionBefore = 1;  // had no fields behind the parts

void put_parts(std::string& out, const std::vector<Part>& parts) {
  put_varint(out, parts.size());
  for (const Part& part : parts) {
    put_varint(out, static_cast<std::uint64_t>(part.kind));
    put_bytes(out, part.media_type);
    put_bytes(out, part.data);
  }
}

bool take_parts(WireReader& in, std::vector<Part>& parts) {
  const std::uint64_t count = in.varint();
  if (count > kPartsMax) return false;
  parts.reserve(count);
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    const std::uint64_t kind = in.varint();
    if (kind > static_cast<std::uint64_t>(Part::Kind::kFile)) return false;
    Part& part = parts.emplace_back();
    part.kind = static_cast<Part::Kind>(kind);
    part.media_type = in.bytes();
    part.data = in.bytes();
  }
  return in.ok();
}

bool take_headers(WireReader& in, std::map<std::string, std::string>& headers) {
  const std::uint64_t count = in.varint();
  if (count > kHeadersMax) return false;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    const std::string_view name = in.bytes();
    headers.emplace_hint(headers.end(), name, in.bytes());
  }
  return in.ok();
}

// What version 2 added.
void put_added(std::string& out, const Message& message) {
  put_signed(out, message.deliver_at_ms);
  put_bytes(out, message.key);
  put_varint(out, message.chain.size());
  for (const std::string& name : message.chain) put_bytes(out, name);
  put_signed(out, message.budget.calls);
  put_signed(out, message.budget.cost_micro);
  put_signed(out, message.budget.messages);
}

bool take_int32(WireReader& in, std::int32_t& out) {
  const std::int64_t value = in.signed_varint();
  out = static_cast<std::int32_t>(value);
  return value >= INT32_MIN && value <= INT32_MAX;
}

bool take_added(WireReader& in, Message& message) {
  message.deliver_at_ms = in.signed_varint();
  message.key = in.bytes();
  const std::uint64_t count = in.varint();
  if (count > kChainMax) return false;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) message.chain.emplace_back(in.bytes());
  if (!take_int32(in, message.budget.calls)) return false;
  message.budget.cost_micro = in.signed_varint();
  return take_int32(in, message.budget.messages) && in.ok();
}

}  // namespace

void encode(const Message& message, std::string& out) {
  std::size_t size = 128;
  for (const Part& part : message.parts) size += part.data.size() + 32;
  out.reserve(out.size() + size);
  put_varint(out, kVersion);
  for (const std::string* text :
       {&message.id, &message.subject, &message.conversation, &message.reply_to,
        &message.correlation, &message.cause, &message.source}) {
    put_bytes(out, *text);
  }
  put_signed(out, message.time_ms);
  put_signed(out, message.deadline_ms);
  put_varint(out, message.priority);
  put_signed(out, message.budget.hops);
  put_signed(out, message.budget.tokens);
  put_signed(out, message.budget.wall_ms);
  put_varint(out, message.headers.size());
  for (const auto& [name, value] : message.headers) {
    put_bytes(out, name);
    put_bytes(out, value);
  }
  put_parts(out, message.parts);
  put_added(out, message);
}

Result<Message> decode_message(std::string_view bytes) {
  const Error damaged{Code::kCorrupt, "a stored message is not in the form of this version"};
  WireReader in(bytes);
  const std::uint64_t version = in.varint();
  if (version != kVersion && version != kVersionBefore) return damaged;
  Message message;
  for (std::string* text : {&message.id, &message.subject, &message.conversation, &message.reply_to,
                            &message.correlation, &message.cause, &message.source}) {
    *text = in.bytes();
  }
  message.time_ms = in.signed_varint();
  message.deadline_ms = in.signed_varint();
  const std::uint64_t priority = in.varint();
  const std::int64_t hops = in.signed_varint();
  message.budget.tokens = in.signed_varint();
  message.budget.wall_ms = in.signed_varint();
  if (priority > 9 || hops > INT32_MAX || hops < INT32_MIN) return damaged;
  message.priority = static_cast<std::uint8_t>(priority);
  message.budget.hops = static_cast<std::int32_t>(hops);
  if (!take_headers(in, message.headers) || !take_parts(in, message.parts)) return damaged;
  if (version == kVersion && !take_added(in, message)) return damaged;
  if (!in.at_end()) return damaged;
  return message;
}

}  // namespace qiao
