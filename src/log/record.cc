// SPDX-License-Identifier: Apache-2.0
#include "log/record.h"

#include <algorithm>
#include <array>

#include "message/wire.h"

namespace qiao {

std::string_view name_of(Durability durability) {
  switch (durability) {
    case Durability::kMemory:
      return "memory";
    case Durability::kFsync:
      return "fsync";
    case Durability::kReplicated:
      return "replicated";
    case Durability::kReplicatedFsync:
      return "replicated_fsync";
  }
  return "memory";
}

namespace {
constexpr std::array<std::string_view, 5> kBusyNames = {"enqueue", "reject", "merge", "steer",
                                                        "interrupt"};
}  // namespace

std::string_view name_of(Busy busy) {
  return kBusyNames[static_cast<std::size_t>(busy)];
}

std::optional<Busy> busy_of(std::string_view name) {
  const auto found = std::find(kBusyNames.begin(), kBusyNames.end(), name);
  if (found == kBusyNames.end()) return std::nullopt;
  return static_cast<Busy>(found - kBusyNames.begin());
}

namespace {

using namespace record;

void put(std::string& out, const Backoff& backoff) {
  put_signed(out, backoff.first_ms);
  put_signed(out, backoff.max_ms);
}

void put(std::string& out, const record::Published& r) {
  encode(r.message, out);
}
void put(std::string& out, const GroupCreated& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.spec.name);
  put_bytes(out, r.spec.pattern);
  put_varint(out, static_cast<std::uint64_t>(r.spec.start.at));
  put_varint(out, r.spec.start.offset);
  put_signed(out, r.spec.lease_ms);
  put_signed(out, r.spec.attempts_max);
  put_bytes(out, r.spec.dead_letter);
  put_varint(out, r.spec.ordered ? 1 : 0);
  put_varint(out, static_cast<std::uint64_t>(r.spec.busy));
  put_varint(out, r.spec.followers_max);
  put(out, r.spec.backoff);
  put_varint(out, r.spec.rules.size());
  for (const RetryRule& rule : r.spec.rules) {
    put_bytes(out, rule.error);
    put_signed(out, rule.attempts_max);
    put(out, rule.backoff);
  }
  put_varint(out, r.spec.backlog_max);
}
void put(std::string& out, const GroupDeleted& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.group);
}
void put(std::string& out, const Leased& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.group);
  put_bytes(out, r.consumer);
  put_varint(out, r.offset);
  put_varint(out, r.attempt);
  put_signed(out, r.until_ms);
  put_varint(out, r.lease);
}
void put(std::string& out, const Acked& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.group);
  put_varint(out, r.offset);
}
void put(std::string& out, const Nacked& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.group);
  put_varint(out, r.offset);
  put_signed(out, r.retry_at_ms);
  put_varint(out, r.counts ? 1 : 0);
  put_bytes(out, r.reason);
  put_bytes(out, r.error);
}
void put(std::string& out, const Extended& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.group);
  put_varint(out, r.offset);
  put_signed(out, r.until_ms);
}
void put(std::string& out, const Expired& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.group);
  put_varint(out, r.offset);
  put_signed(out, r.retry_at_ms);
}
void put(std::string& out, const Event& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.conversation);
  put_bytes(out, r.message_id);
  put_bytes(out, r.type);
  put_bytes(out, dump_json(r.data));
}
void put_offsets(std::string& out, const std::vector<std::uint64_t>& offsets) {
  put_varint(out, offsets.size());
  std::uint64_t last = 0;
  for (const std::uint64_t offset : offsets) {
    put_varint(out, offset - last);
    last = offset;
  }
}
void put(std::string& out, const TopicSet& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.spec.pattern);
  put_signed(out, r.spec.retain_ms);
  put_varint(out, r.spec.retain_messages);
  put_varint(out, r.spec.retain_bytes);
  put_varint(out, r.spec.compact ? 1 : 0);
  put_varint(out, r.spec.backlog_max);
  put_varint(out, (r.spec.drop_unacked ? 1 : 0) | (r.erased ? 2 : 0));
}
void put(std::string& out, const Removed& r) {
  put_signed(out, r.time_ms);
  put_offsets(out, r.offsets);
  put_bytes(out, r.reason);
  put_bytes(out, r.topic);
}
void put(std::string& out, const Receipt& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.group);
  put_varint(out, r.offset);
  put_bytes(out, r.step);
  put_bytes(out, r.data);
}
void put(std::string& out, const Chunk& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.stream);
  put_varint(out, r.first);
  put_varint(out, r.attempt);
  put_bytes(out, r.events);
}
void put(std::string& out, const Parked& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.group);
  put_varint(out, r.offset);
  put_signed(out, r.until_ms);
  put_bytes(out, r.reason);
}
void put(std::string& out, const Woken& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.group);
  put_varint(out, r.offset);
}
void put(std::string& out, const Joined& r) {
  put_signed(out, r.time_ms);
  put_bytes(out, r.group);
  put_varint(out, r.offset);
  put_offsets(out, r.followers);
}

// Each take() fills a record; a value out of range makes it return false.
void take(WireReader& in, Backoff& backoff) {
  backoff.first_ms = in.signed_varint();
  backoff.max_ms = in.signed_varint();
}
// What groups were given later: records of before end without it.
bool take_delivery(WireReader& in, GroupSpec& spec) {
  const std::uint64_t busy = in.varint();
  const std::uint64_t followers = in.varint();
  if (busy >= kBusyNames.size() || followers > UINT32_MAX) return false;
  spec.busy = static_cast<Busy>(busy);
  spec.followers_max = static_cast<std::uint32_t>(followers);
  take(in, spec.backoff);
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    RetryRule& rule = spec.rules.emplace_back();
    rule.error = in.bytes();
    const std::int64_t attempts = in.signed_varint();
    if (attempts < 0 || attempts > INT32_MAX) return false;
    rule.attempts_max = static_cast<std::int32_t>(attempts);
    take(in, rule.backoff);
  }
  if (!in.at_end()) spec.backlog_max = in.varint();
  return true;
}
bool take(WireReader& in, GroupCreated& r) {
  r.time_ms = in.signed_varint();
  r.spec.name = in.bytes();
  r.spec.pattern = in.bytes();
  const std::uint64_t at = in.varint();
  r.spec.start.offset = in.varint();
  r.spec.lease_ms = in.signed_varint();
  const std::int64_t attempts = in.signed_varint();
  r.spec.dead_letter = in.bytes();
  r.spec.ordered = in.varint() != 0;
  if (at > static_cast<std::uint64_t>(GroupStart::At::kOffset) || attempts < 0 ||
      attempts > INT32_MAX)
    return false;
  r.spec.start.at = static_cast<GroupStart::At>(at);
  r.spec.attempts_max = static_cast<std::int32_t>(attempts);
  return in.at_end() || take_delivery(in, r.spec);
}
bool take(WireReader& in, GroupDeleted& r) {
  r.time_ms = in.signed_varint();
  r.group = in.bytes();
  return true;
}
bool take(WireReader& in, Leased& r) {
  r.time_ms = in.signed_varint();
  r.group = in.bytes();
  r.consumer = in.bytes();
  r.offset = in.varint();
  const std::uint64_t attempt = in.varint();
  r.until_ms = in.signed_varint();
  if (!in.at_end()) r.lease = in.varint();  // records of before have no name
  r.attempt = static_cast<std::uint32_t>(attempt);
  return attempt <= UINT32_MAX;
}
bool take(WireReader& in, Acked& r) {
  r.time_ms = in.signed_varint();
  r.group = in.bytes();
  r.offset = in.varint();
  return true;
}
bool take(WireReader& in, Nacked& r) {
  r.time_ms = in.signed_varint();
  r.group = in.bytes();
  r.offset = in.varint();
  r.retry_at_ms = in.signed_varint();
  r.counts = in.varint() != 0;
  r.reason = in.bytes();
  if (!in.at_end()) r.error = in.bytes();  // records of before have no class
  return true;
}
bool take(WireReader& in, Extended& r) {
  r.time_ms = in.signed_varint();
  r.group = in.bytes();
  r.offset = in.varint();
  r.until_ms = in.signed_varint();
  return true;
}
bool take(WireReader& in, Expired& r) {
  r.time_ms = in.signed_varint();
  r.group = in.bytes();
  r.offset = in.varint();
  r.retry_at_ms = in.signed_varint();
  return true;
}
bool take(WireReader& in, Event& r) {
  r.time_ms = in.signed_varint();
  r.conversation = in.bytes();
  r.message_id = in.bytes();
  r.type = in.bytes();
  Result<Json> data = parse_json(in.bytes());
  if (!data) return false;
  r.data = std::move(*data);
  return true;
}
// Requires of the bytes: rising offsets. A count that the bytes cannot hold ends the reading.
bool take_offsets(WireReader& in, std::vector<std::uint64_t>& offsets) {
  std::uint64_t last = 0;
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    const std::uint64_t step = in.varint();
    if (step == 0 && !offsets.empty()) return false;
    last += step;
    offsets.push_back(last);
  }
  return in.ok();
}
bool take(WireReader& in, TopicSet& r) {
  r.time_ms = in.signed_varint();
  r.spec.pattern = in.bytes();
  r.spec.retain_ms = in.signed_varint();
  r.spec.retain_messages = in.varint();
  r.spec.retain_bytes = in.varint();
  r.spec.compact = in.varint() != 0;
  r.spec.backlog_max = in.varint();
  if (in.at_end()) return r.spec.retain_ms >= 0;
  const std::uint64_t marks = in.varint();
  r.spec.drop_unacked = (marks & 1) != 0;
  r.erased = (marks & 2) != 0;
  return r.spec.retain_ms >= 0 && marks <= 3;
}
bool take(WireReader& in, Removed& r) {
  r.time_ms = in.signed_varint();
  if (!take_offsets(in, r.offsets)) return false;
  r.reason = in.bytes();
  if (!in.at_end()) r.topic = in.bytes();
  return true;
}
bool take(WireReader& in, Receipt& r) {
  r.time_ms = in.signed_varint();
  r.group = in.bytes();
  r.offset = in.varint();
  r.step = in.bytes();
  r.data = in.bytes();
  return true;
}
bool take(WireReader& in, Chunk& r) {
  r.time_ms = in.signed_varint();
  r.stream = in.bytes();
  r.first = in.varint();
  const std::uint64_t attempt = in.varint();
  r.attempt = static_cast<std::uint32_t>(attempt);
  r.events = in.bytes();
  return attempt <= UINT32_MAX;
}
bool take(WireReader& in, Parked& r) {
  r.time_ms = in.signed_varint();
  r.group = in.bytes();
  r.offset = in.varint();
  r.until_ms = in.signed_varint();
  r.reason = in.bytes();
  return true;
}
bool take(WireReader& in, Woken& r) {
  r.time_ms = in.signed_varint();
  r.group = in.bytes();
  r.offset = in.varint();
  return true;
}
bool take(WireReader& in, Joined& r) {
  r.time_ms = in.signed_varint();
  r.group = in.bytes();
  r.offset = in.varint();
  return take_offsets(in, r.followers);
}

Error damaged(std::string_view what) {
  return {Code::kCorrupt, "a stored record is damaged: " + std::string(what)};
}

template <class T>
Result<Record> decode_as(std::string_view bytes) {
  WireReader in(bytes);
  T value;
  if (!take(in, value) || !in.ok() || !in.at_end())
    return damaged("its fields do not fit its kind");
  return Record(std::move(value));
}

template <>
Result<Record> decode_as<record::Published>(std::string_view bytes) {
  QIAO_ASSIGN(Message message, decode_message(bytes));
  return Record(record::Published{std::move(message)});
}

template <std::size_t... kIndex>
Result<Record> decode_by_kind(const LogRecord& log_record, std::index_sequence<kIndex...>) {
  using Decode = Result<Record> (*)(std::string_view);
  static constexpr std::array<Decode, sizeof...(kIndex)> kDecoders = {
      &decode_as<std::variant_alternative_t<kIndex, Record>>...};
  if (log_record.kind >= kDecoders.size())
    return damaged("unknown kind " + std::to_string(log_record.kind));
  return kDecoders[log_record.kind](log_record.bytes);
}

}  // namespace

LogRecord encode(const Record& record) {
  LogRecord out;
  out.kind = static_cast<std::uint8_t>(record.index());
  std::visit([&out](const auto& value) { put(out.bytes, value); }, record);
  return out;
}

LogRecord encode_published(const Message& message) {
  LogRecord out;
  out.kind = static_cast<std::uint8_t>(Record(std::in_place_type<record::Published>).index());
  encode(message, out.bytes);
  return out;
}

Result<Record> decode_record(const LogRecord& record) {
  return decode_by_kind(record, std::make_index_sequence<std::variant_size_v<Record>>{});
}

}  // namespace qiao
