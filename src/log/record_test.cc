// SPDX-License-Identifier: Apache-2.0
#include "log/record.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "message/wire.h"

namespace qiao {
namespace {

GroupSpec spec() {
  GroupSpec spec;
  spec.name = "desk";
  spec.pattern = "support.>";
  spec.start = {GroupStart::At::kOffset, 17};
  spec.lease_ms = 1'500;
  spec.attempts_max = 3;
  spec.dead_letter = "support.dead";
  spec.ordered = false;
  return spec;
}

std::vector<Record> one_of_each() {
  Message message = text_message("support.in", "你好", "c1");
  message.id = "m1";
  message.time_ms = 5;
  record::Event event{9, "c1", "m1", "decision", Json{{"route", "refund"}}};
  return {record::Published{message},
          record::GroupCreated{1, spec()},
          record::GroupDeleted{2, "desk"},
          record::Leased{3, "desk", "ann", 42, 2, 1'700'000'000'000, 9},
          record::Acked{4, "desk", 42},
          record::Nacked{5, "desk", 42, 99, false, "not mine"},
          record::Extended{6, "desk", 42, -1},
          record::Expired{7, "desk", 42, 0},
          event,
          record::TopicSet{8, {"support.>", 60'000, 10, 1 << 20, true, 500}},
          record::Removed{9, {3, 4, 400}, "retention"},
          record::Receipt{10, "desk", 42, "tool.order-lookup.1", "{}"},
          record::Chunk{11, "m1", 12, 2, "text"},
          record::Parked{12, "desk", 42, 99, "approval"},
          record::Woken{13, "desk", 42},
          record::Joined{14, "desk", 42, {43, 45}}};
}

TEST(Record, EveryKindComesBackAsItWas) {
  const std::vector<Record> records = one_of_each();
  ASSERT_EQ(records.size(), std::variant_size_v<Record>);
  for (std::size_t kind = 0; kind < records.size(); ++kind) {
    const LogRecord stored = encode(records[kind]);
    EXPECT_EQ(stored.kind, kind);
    const auto decoded = decode_record(stored);
    ASSERT_TRUE(decoded) << kind << ": " << decoded.error().message;
    EXPECT_EQ(decoded->index(), kind);
    EXPECT_EQ(encode(*decoded).bytes, stored.bytes);
  }
}

TEST(Record, FieldsAreNotMixedUp) {
  const auto created = decode_record(encode(Record(record::GroupCreated{1, spec()})));
  ASSERT_TRUE(created);
  EXPECT_EQ(std::get<record::GroupCreated>(*created).spec, spec());

  TopicSpec topic{"support.>", 60'000, 10, 1 << 20, true, 500, true};
  const auto set = decode_record(encode(Record(record::TopicSet{8, topic, true})));
  ASSERT_TRUE(set);
  EXPECT_EQ(std::get<record::TopicSet>(*set).spec, topic);
  EXPECT_TRUE(std::get<record::TopicSet>(*set).erased);
  const auto removed =
      decode_record(encode(Record(record::Removed{9, {3, 400}, "retention", "support.in"})));
  ASSERT_TRUE(removed);
  EXPECT_EQ(std::get<record::Removed>(*removed).topic, "support.in");

  GroupSpec rich = spec();
  rich.backlog_max = 77;
  rich.busy = Busy::kSteer;
  rich.followers_max = 3;
  rich.backoff = {100, 5'000};
  rich.rules = {{"timeout", 9, {1, 2}}, {"refused", 1, {}}};
  const auto rich_created = decode_record(encode(Record(record::GroupCreated{1, rich})));
  ASSERT_TRUE(rich_created);
  EXPECT_EQ(std::get<record::GroupCreated>(*rich_created).spec, rich);

  const auto nacked = decode_record(encode(one_of_each()[5]));
  ASSERT_TRUE(nacked);
  const auto& value = std::get<record::Nacked>(*nacked);
  EXPECT_EQ(value.time_ms, 5);
  EXPECT_EQ(value.group, "desk");
  EXPECT_EQ(value.offset, 42U);
  EXPECT_EQ(value.retry_at_ms, 99);
  EXPECT_FALSE(value.counts);
  EXPECT_EQ(value.reason, "not mine");

  const auto leased = decode_record(encode(one_of_each()[3]));
  ASSERT_TRUE(leased);
  EXPECT_EQ(std::get<record::Leased>(*leased).lease, 9U);

  const auto joined = decode_record(encode(one_of_each()[15]));
  ASSERT_TRUE(joined);
  EXPECT_EQ(std::get<record::Joined>(*joined).followers, (std::vector<std::uint64_t>{43, 45}));

  const auto event = decode_record(encode(one_of_each()[8]));
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<record::Event>(*event).data["route"], "refund");
}

// What versions before wrote: it is read as if the newer fields had not been said.
std::vector<std::string> before(const Record& record) {
  const std::string bytes = encode(record).bytes;
  const auto without = [&bytes](std::size_t count) {
    return bytes.substr(0, bytes.size() - count);
  };
  // busy, followers_max, two of a backoff (first 0, max 60 s in three bytes), no rules
  constexpr std::size_t kDelivery = 1 + 1 + 1 + 3 + 1;
  constexpr std::size_t kBacklog = 1;
  if (std::holds_alternative<record::GroupCreated>(record))
    return {without(kDelivery + kBacklog), without(kBacklog)};
  const bool one_more = std::holds_alternative<record::Nacked>(record) ||
                        std::holds_alternative<record::Leased>(record) ||
                        std::holds_alternative<record::TopicSet>(record) ||
                        std::holds_alternative<record::Removed>(record);
  return one_more ? std::vector<std::string>{without(1)} : std::vector<std::string>{};
}

TEST(Record, ThoseOfTheVersionBeforeAreRead) {
  for (const std::string& bytes : before(record::GroupCreated{1, spec()})) {
    const auto created = decode_record({1, bytes});
    ASSERT_TRUE(created);
    EXPECT_EQ(std::get<record::GroupCreated>(*created).spec, spec());
  }
  const auto leased = decode_record({3, before(one_of_each()[3]).front()});
  ASSERT_TRUE(leased);
  EXPECT_EQ(std::get<record::Leased>(*leased).attempt, 2U);
  EXPECT_EQ(std::get<record::Leased>(*leased).lease, 0U);
  const auto nacked = decode_record({5, before(one_of_each()[5]).front()});
  ASSERT_TRUE(nacked);
  EXPECT_EQ(std::get<record::Nacked>(*nacked).reason, "not mine");
}

TEST(Record, CutOffOrExtendedBytesAreCorrupt) {
  for (const Record& record : one_of_each()) {
    const LogRecord whole = encode(record);
    for (std::size_t length = 0; length < whole.bytes.size(); ++length) {
      const std::string bytes = whole.bytes.substr(0, length);
      const std::vector<std::string> known = before(record);
      if (std::find(known.begin(), known.end(), bytes) != known.end()) continue;
      const auto decoded = decode_record({whole.kind, bytes});
      ASSERT_FALSE(decoded) << "kind " << int{whole.kind} << " cut to " << length;
      EXPECT_EQ(decoded.error().code, Code::kCorrupt);
    }
    const auto longer = decode_record({whole.kind, whole.bytes + "x"});
    ASSERT_FALSE(longer) << "kind " << int{whole.kind};
    EXPECT_EQ(longer.error().code, Code::kCorrupt);
  }
}

TEST(Record, AnyBytesAreDecodedOrRefused) {
  Rng rng(7);
  for (int round = 0; round < 20'000; ++round) {
    LogRecord record;
    record.kind = static_cast<std::uint8_t>(rng.below(std::variant_size_v<Record> + 1));
    const std::size_t size = rng.below(40);
    for (std::size_t i = 0; i < size; ++i)
      record.bytes += static_cast<char>(rng.below(4) == 0 ? rng.below(256) : rng.below(6));
    const auto decoded = decode_record(record);
    EXPECT_TRUE(decoded || decoded.error().code == Code::kCorrupt);
  }
}

TEST(Record, ValuesOutOfRangeAreCorrupt) {
  const auto group_created = [](std::uint64_t start_at, std::int64_t attempts_max) {
    std::string bytes;
    put_signed(bytes, 1);
    put_bytes(bytes, "desk");
    put_bytes(bytes, "support.>");
    put_varint(bytes, start_at);
    put_varint(bytes, 0);
    put_signed(bytes, 1'000);
    put_signed(bytes, attempts_max);
    put_bytes(bytes, "");
    put_varint(bytes, 1);
    return decode_record({1, bytes});
  };
  EXPECT_TRUE(group_created(0, 5));
  EXPECT_FALSE(group_created(3, 5));
  EXPECT_FALSE(group_created(0, -1));
  EXPECT_FALSE(group_created(0, std::int64_t{1} << 40));
  EXPECT_FALSE(decode_record({200, "x"}));
}

TEST(Busy, HasANameForEachPolicy) {
  for (const Busy busy :
       {Busy::kEnqueue, Busy::kReject, Busy::kMerge, Busy::kSteer, Busy::kInterrupt})
    EXPECT_EQ(busy_of(name_of(busy)), busy);
  EXPECT_EQ(busy_of("rollback"), std::nullopt);
}

TEST(Durability, HasANameForEachLevel) {
  EXPECT_EQ(name_of(Durability::kMemory), "memory");
  EXPECT_EQ(name_of(Durability::kFsync), "fsync");
  EXPECT_EQ(name_of(Durability::kReplicated), "replicated");
  EXPECT_EQ(name_of(Durability::kReplicatedFsync), "replicated_fsync");
}

}  // namespace
}  // namespace qiao
