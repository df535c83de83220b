// SPDX-License-Identifier: Apache-2.0
// Publish and commit: everything is checked before anything is made, so a commit is all or none.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "broker/broker_impl.h"
#include "broker/dead_letter.h"

namespace qiao {

Status Broker::Impl::prepare(Message& message) {
  if (message.id.empty()) message.id = ids_.next();
  message.time_ms = time_.now_ms();
  // Its sender went by the wall clock.
  if (message.deliver_at_ms != 0) message.deliver_at_ms += message.time_ms - clock_.wall_ms();
  return validate(message);
}

Status Broker::Impl::check_lease(const LeaseRef& lease) {
  const GroupState* group = state_.group(lease.group);
  if (group == nullptr) return not_found("there is no group '" + lease.group + "'");
  const GroupState::Item* item = group->leased(lease.offset);
  if (item == nullptr || (lease.attempt != 0 && lease.attempt != item->attempt) ||
      (lease.lease != 0 && lease.lease != item->lease)) {
    return Error{Code::kConflict, "the lease of message " + std::to_string(lease.offset) +
                                      " in group '" + lease.group +
                                      "' has ended; it may be with somebody else"};
  }
  return {};
}

// The window knows hashes: only equal ids make a duplicate.
std::optional<std::uint64_t> Broker::Impl::published_before(const std::string& id) {
  const std::optional<std::uint64_t> offset = state_.offset_hint(id);
  if (!offset) return std::nullopt;
  if (*offset < log_.bounds().first) return offset;  // trimmed: the hash must do
  const Result<MessagePtr> message = body(*offset);
  if (!message || (*message)->id != id) return std::nullopt;
  return offset;
}

// What a client saw last may be kept no longer: then nothing of its conversation may be newer.
Status Broker::Impl::check_expected(const Message& message, std::optional<std::uint64_t> expected) {
  if (message.conversation.empty())
    return invalid_argument("only a message of a conversation may say which one was its last");
  QIAO_ASSIGN(const std::optional<std::uint64_t> last,
              state_.last_of(message.subject, broker::lane_of(message.conversation)));
  if (last == expected) return {};
  const bool newer = last && (!expected || *last > *expected);
  const bool never = expected && (*expected >= next_ || state_.keeps(message.subject, *expected));
  if (!newer && !never) return {};
  return Error{Code::kConflict, "the last message of conversation '" + message.conversation +
                                    "' in '" + message.subject + "' is " +
                                    (last ? std::to_string(*last) : "none") + ", not " +
                                    (expected ? std::to_string(*expected) : "none")};
}

Status Broker::Impl::add_messages(Commit& commit, std::vector<Published>& published,
                                  Changes& changes) {
  std::vector<Message>& messages = commit.publish;
  std::unordered_map<std::string, std::uint64_t> in_batch;
  std::vector<Message*> fresh;
  changes.publish.reserve(messages.size());
  published.reserve(messages.size());
  for (Message& message : messages) {
    QIAO_TRY(prepare(message));
    Published& result = published.emplace_back();
    result.id = message.id;
    result.durability = log_.durability();
    result.offset = next_ + fresh.size();
    if (const auto before = published_before(message.id)) {
      result.offset = *before;
      result.duplicate = true;
    } else if (messages.size() > 1) {
      const auto [twin, first] = in_batch.emplace(message.id, result.offset);
      result.offset = twin->second;
      result.duplicate = !first;
    }
    if (result.duplicate) continue;
    for (const Expectation& expectation : commit.expected) {
      if (expectation.message + 1 == published.size())
        QIAO_TRY(check_expected(message, expectation.last));
    }
    fresh.push_back(&message);
  }
  QIAO_TRY(inherit(fresh));
  for (Message* message : fresh)
    changes.publish.push_back(std::make_shared<const Message>(std::move(*message)));
  return {};
}

// What the commit does to leases, and what its messages do to those of others.
Status Broker::Impl::add_leases(Commit& commit, Changes& changes) {
  const std::int64_t now = now_ms();
  std::vector<LeaseName> ended;
  for (LeaseRef& lease : commit.ack) {
    QIAO_TRY(check_lease(lease));
    QIAO_TRY(check_known(lease));
    ended.emplace_back(lease.group, lease.offset);
    changes.rest.emplace_back(record::Acked{now, std::move(lease.group), lease.offset});
  }
  QIAO_TRY(add_parks(commit, changes));
  for (const Park& park : commit.park) ended.emplace_back(park.lease.group, park.lease.offset);
  return apply_busy(changes, ended);
}

Status Broker::Impl::add_parks(Commit& commit, Changes& changes) {
  const std::int64_t now = time_.now_ms();
  for (const Park& park : commit.park) {
    QIAO_TRY(check_lease(park.lease));
    const std::int64_t rest_ms = park.until_ms - clock_.wall_ms();
    if (rest_ms <= 0 || rest_ms > kParkMsMax)
      return invalid_argument("a message is parked until a time within the next 30 days");
    changes.rest.emplace_back(record::Parked{now, park.lease.group, park.lease.offset,
                                             now + rest_ms,
                                             cut_utf8(park.reason, kReasonBytesMax)});
  }
  for (Wake& wake : commit.wake) {
    const GroupState* group = state_.group(wake.group);
    if (group == nullptr) return not_found("there is no group '" + wake.group + "'");
    if (!group->is_parked(wake.offset, now)) {
      return Error{Code::kConflict, "message " + std::to_string(wake.offset) + " of group '" +
                                        wake.group + "' is not parked"};
    }
    changes.rest.emplace_back(record::Woken{now, std::move(wake.group), wake.offset});
  }
  return {};
}

// Every group that gets one of the messages must have room for it, after what the same batch acks.
Status Broker::Impl::check_room(const Changes& changes) {
  std::map<const GroupState*, std::uint64_t> open;  // with this batch
  const auto count_of = [&](const GroupState& group) -> std::uint64_t& {
    return open.try_emplace(&group, group.open_count()).first->second;
  };
  for (const Record& record : changes.rest) {
    const auto* acked = std::get_if<record::Acked>(&record);
    if (acked == nullptr) continue;
    const GroupState* group = state_.group(acked->group);
    count_of(*group) -= 1 + group->followers(acked->offset).size();
  }
  for (const MessagePtr& message : changes.publish) {
    const TopicSpec* topic = state_.topic_specs().find(message->subject);
    Status room;
    state_.for_groups_of(message->subject, [&](const GroupState& group) {
      std::uint64_t max = group.spec().backlog_max;
      if (topic != nullptr && topic->backlog_max != 0)
        max = std::min(max == 0 ? UINT64_MAX : max, topic->backlog_max);
      if (max == 0 || ++count_of(group) <= max) return;
      room =
          overloaded("group '" + group.spec().name + "' has " + std::to_string(group.open_count()) +
                     " messages open and takes at most " + std::to_string(max) + "; publish to '" +
                     message->subject + "' again later");
    });
    QIAO_TRY(room);
  }
  return {};
}

// For what is not durable yet, a crash may take back: nobody hears of it before.
void Broker::Impl::refuse(const Error& error, const Done<std::vector<Published>>& done) {
  when_durable([done, error](Status status) { done(status ? error : std::move(status.error())); });
}

void Broker::Impl::commit(Commit commit, const Done<std::vector<Published>>& done) {
  Changes changes;
  std::vector<Published> published;
  if (const Status added = add_messages(commit, published, changes); !added)
    return refuse(added.error(), done);
  const std::int64_t now = time_.now_ms();
  // Before the acks: what ends a lease ends its receipts.
  if (const Status added = add_receipts(commit, changes); !added) return done(added.error());
  if (const Status added = add_leases(commit, changes); !added) return done(added.error());
  if (const Status room = check_room(changes); !room) {
    overloaded_count_.add();
    return done(room.error());
  }
  for (record::Event& event : commit.events) {
    if (event.time_ms == 0) event.time_ms = now;
    changes.rest.emplace_back(std::move(event));
  }
  add_chunks(commit.chunks, changes);
  duplicate_count_.add(published.size() - changes.publish.size());
  const std::size_t acks = commit.ack.size();
  const std::size_t receipts = commit.receipts.size();
  const bool nothing_new = changes.publish.empty() && changes.rest.empty();
  const bool rests = !commit.park.empty();
  Release release = [this, done, acks, receipts,
                     published = std::move(published)](Status status) mutable {
    if (!status) return done(std::move(status.error()));
    acked_count_.add(acks);
    receipt_count_.add(receipts);
    done(std::move(published));
  };
  if (nothing_new) return when_durable(std::move(release));
  const auto appended = append(std::move(changes), std::move(release));
  if (appended && rests) {
    for (const Park& park : commit.park) arm_timer(*state_.group(park.lease.group));
  }
  if (appended) return;
  if (appended.error().code == Code::kOverloaded) overloaded_count_.add();
  done(appended.error());
}

}  // namespace qiao
