// SPDX-License-Identifier: Apache-2.0
// Conversations at work: what a group does with messages that come meanwhile (docs/internals/
// delivery.md).
#include <algorithm>
#include <set>

#include "base/logging.h"
#include "broker/broker_impl.h"

namespace qiao {
namespace {

constexpr std::int64_t kJoinMsMax = 60'000;
constexpr std::size_t kJoinersMax = 100'000;

Error ended_error(const std::string& group, std::uint64_t offset, const std::string& why) {
  return {Code::kConflict, "the lease of message " + std::to_string(offset) + " in group '" +
                               group + "' has ended: " + why};
}

// Whom a record ends the lease of, and why.
std::optional<std::pair<std::pair<std::string, std::uint64_t>, std::string>> end_of(
    const Record& record) {
  using Name = std::pair<std::string, std::uint64_t>;
  if (const auto* r = std::get_if<record::Acked>(&record))
    return std::pair{Name(r->group, r->offset), std::string("it was acked or superseded")};
  if (const auto* r = std::get_if<record::Nacked>(&record))
    return std::pair{Name(r->group, r->offset), std::string("it was given back")};
  if (const auto* r = std::get_if<record::Expired>(&record))
    return std::pair{Name(r->group, r->offset), std::string("it ran out")};
  if (const auto* r = std::get_if<record::Parked>(&record))
    return std::pair{Name(r->group, r->offset), std::string("it was parked")};
  return std::nullopt;
}

}  // namespace

// `freed`: leases that the same batch ends.
Status Broker::Impl::apply_busy(Changes& changes, const std::vector<LeaseName>& freed) {
  std::set<std::pair<GroupState*, broker::LaneKey>> taken;  // by this batch
  std::vector<std::pair<LeaseName, const Message*>> superseded;
  for (const MessagePtr& message : changes.publish) {
    const broker::LaneKey lane = broker::lane_of(message->conversation);
    if (lane == 0) continue;
    Status free;
    state_.for_groups_of(message->subject, [&](GroupState& group) {
      const Busy busy = group.spec().busy;
      if (busy != Busy::kReject && busy != Busy::kInterrupt) return;
      const auto leased = group.leased_of(lane);
      const bool ends = leased && std::find(freed.begin(), freed.end(),
                                            LeaseName(group.spec().name, *leased)) != freed.end();
      if (busy == Busy::kReject &&
          (!taken.insert({&group, lane}).second || (group.busy(lane) && !ends))) {
        busy_count_.add();
        free = Error{Code::kConflict, "conversation '" + message->conversation +
                                          "' is at work in group '" + group.spec().name +
                                          "': wait for its answer"};
      }
      const bool due = message->deliver_at_ms <= time_.now_ms();
      if (busy == Busy::kInterrupt && leased && !ends && due && taken.insert({&group, lane}).second)
        superseded.push_back({{group.spec().name, *leased}, message.get()});
    });
    QIAO_TRY(free);
  }
  for (const auto& [name, by] : superseded)
    QIAO_TRY(supersede(*state_.group(name.first), name.second, *by, changes));
  return {};
}

Status Broker::Impl::supersede(const GroupState& group, std::uint64_t offset, const Message& by,
                               Changes& changes) {
  QIAO_ASSIGN(const MessagePtr message, body(offset));
  const std::int64_t now = time_.now_ms();
  changes.rest.emplace_back(record::Acked{now_ms(), group.spec().name, offset});
  changes.rest.emplace_back(
      record::Event{now, message->conversation, message->id, "superseded",
                    Json{{"group", group.spec().name}, {"offset", offset}, {"by", by.id}}});
  superseded_count_.add();
  return {};
}

Result<std::vector<StoredMessage>> Broker::Impl::bodies_of(
    const std::vector<std::uint64_t>& offsets) {
  std::vector<StoredMessage> out;
  const std::int64_t wall = clock_.wall_ms();
  for (const std::uint64_t offset : offsets) {
    QIAO_ASSIGN(const MessagePtr message, body(offset));
    if (message->deadline_ms != 0 && message->deadline_ms <= wall) {
      late_count_.add();  // it ends with the lease, unseen
      continue;
    }
    out.push_back({offset, *message});
  }
  return out;
}

// What is past its deadline ends with the lease, unseen.
Status Broker::Impl::check_known(const LeaseRef& lease) {
  if (!lease.through) return {};
  for (const std::uint64_t follower : state_.group(lease.group)->followers(lease.offset)) {
    if (follower <= *lease.through) continue;
    QIAO_ASSIGN(const MessagePtr message, body(follower));
    if (message->deadline_ms != 0 && message->deadline_ms <= clock_.wall_ms()) continue;
    return Error{Code::kPrecondition, "message " + std::to_string(follower) +
                                          " has joined the lease of message " +
                                          std::to_string(lease.offset) + " in group '" +
                                          lease.group + "': join with 'after' tells of it"};
  }
  return {};
}

// Like the record of a lease, that of a joining is not waited for. Those that joined before come
// again to who knows them up to `after` only.
Result<std::vector<StoredMessage>> Broker::Impl::take_joinable(GroupState& group,
                                                               std::uint64_t offset,
                                                               std::optional<std::uint64_t> after) {
  const Busy busy = group.spec().busy;
  if (busy != Busy::kMerge && busy != Busy::kSteer) return std::vector<StoredMessage>{};
  const std::int64_t now = time_.now_ms();
  std::vector<std::uint64_t> joining = group.joinable(offset, now, durable_);
  std::vector<std::uint64_t> told;
  for (const std::uint64_t follower : group.followers(offset)) {
    if (after && follower > *after) told.push_back(follower);
  }
  told.insert(told.end(), joining.begin(), joining.end());
  QIAO_ASSIGN(std::vector<StoredMessage> messages, bodies_of(told));
  if (joining.empty()) return messages;
  const auto appended =
      append({{}, {record::Joined{now, group.spec().name, offset, std::move(joining)}}}, {});
  if (!appended) return appended.error();
  delivered_count_.add(messages.size());
  return messages;
}

void Broker::Impl::join(LeaseRef lease, JoinWish wish, Done<std::vector<StoredMessage>> done) {
  if (const Status held = check_lease(lease); !held) return done(held.error());
  const LeaseName name{lease.group, lease.offset};
  auto messages = take_joinable(*state_.group(lease.group), lease.offset, wish.after);
  if (!messages || !messages->empty() || wish.wait_ms <= 0) return done(std::move(messages));
  end_joiner(name, std::vector<StoredMessage>{});  // an earlier call
  if (joiners_.size() >= kJoinersMax) {
    overloaded_count_.add();
    return done(overloaded("too many consumers wait for what joins their leases"));
  }
  const auto timer =
      loop_.post_after(std::min(wish.wait_ms, kJoinMsMax), [weak = weak_from_this(), name] {
        if (const auto self = weak.lock()) self->end_joiner(name, std::vector<StoredMessage>{});
      });
  joiners_.emplace(name, Joiner{std::move(done), timer});
}

void Broker::Impl::answer_joiners(const Message& message) {
  const broker::LaneKey lane = broker::lane_of(message.conversation);
  if (lane == 0) return;
  state_.for_groups_of(message.subject, [&](GroupState& group) {
    if (const auto leased = group.leased_of(lane)) answer_joiner(group, *leased);
  });
}

void Broker::Impl::answer_joiner(GroupState& group, std::uint64_t offset) {
  const LeaseName name{group.spec().name, offset};
  if (!joiners_.contains(name)) return;
  auto messages = take_joinable(group, offset);
  if (!messages || !messages->empty()) end_joiner(name, std::move(messages));
}

void Broker::Impl::end_joiner(const LeaseName& name, Result<std::vector<StoredMessage>> result) {
  const auto found = joiners_.find(name);
  if (found == joiners_.end()) return;
  const Joiner joiner = std::move(found->second);
  joiners_.erase(found);
  loop_.cancel(joiner.timer);
  joiner.done(std::move(result));
}

void Broker::Impl::end_joiners(const std::vector<Record>& records) {
  for (const Record& record : records) {
    if (const auto end = end_of(record))
      end_joiner(end->first, ended_error(end->first.first, end->first.second, end->second));
  }
}

}  // namespace qiao
