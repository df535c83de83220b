// SPDX-License-Identifier: Apache-2.0
// Dead letters: how they are made, sent again and dropped.
#include <algorithm>
#include <iterator>

#include "broker/broker_impl.h"
#include "broker/dead_letter.h"
#include "message/subject.h"

namespace qiao {
namespace {

constexpr std::size_t kDeadHeaders = 6;

}  // namespace

std::string cut_utf8(std::string text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text;
}

std::string dead_letter_subject(const GroupSpec& spec) {
  if (!spec.dead_letter.empty()) return spec.dead_letter;
  std::string subject = "dead." + spec.name;
  return validate_subject(subject) ? subject : "dead";
}

// The dead letters and the end of the originals in one batch: those that share a lease share this.
Result<Broker::Impl::Changes> Broker::Impl::give_up(const GroupState& group, std::uint64_t offset,
                                                    const Failure& failure) {
  Changes changes;
  changes.rest.emplace_back(record::Acked{now_ms(), group.spec().name, offset});
  const std::uint32_t attempts = group.attempts(offset);
  QIAO_TRY(add_letter(group, offset, attempts, failure, changes));
  for (const std::uint64_t follower : group.followers(offset))
    QIAO_TRY(add_letter(group, follower, attempts, failure, changes));
  return changes;
}

// A letter that is given up itself stays where it is: groups that see each other's letters would
// pass them on for ever.
Status Broker::Impl::add_letter(const GroupState& group, std::uint64_t offset,
                                std::uint32_t attempts, const Failure& failure, Changes& changes) {
  QIAO_ASSIGN(const MessagePtr message, body(offset));
  if (message->headers.contains(std::string(kDeadGroup))) return {};
  Message letter = *message;
  letter.id = ids_.next();
  letter.subject = dead_letter_subject(group.spec());
  letter.cause = message->id;
  letter.time_ms = time_.now_ms();
  letter.deadline_ms = 0;  // what is dead is never late, nor early
  letter.deliver_at_ms = 0;
  letter.budget = {};  // it is a record of the message and causes nothing
  while (letter.headers.size() + kDeadHeaders > kHeadersMax)
    letter.headers.erase(std::prev(letter.headers.end()));
  letter.headers[std::string(kDeadGroup)] = group.spec().name;
  letter.headers[std::string(kDeadOrigin)] = message->subject;
  letter.headers[std::string(kDeadOffset)] = std::to_string(offset);
  letter.headers[std::string(kDeadAttempts)] = std::to_string(attempts);
  letter.headers[std::string(kDeadReason)] = failure.reason;
  if (!failure.error.empty()) letter.headers[std::string(kDeadError)] = failure.error;
  changes.publish.push_back(std::make_shared<const Message>(std::move(letter)));
  return {};
}

Result<Broker::Impl::MessagePtr> Broker::Impl::letter_at(std::uint64_t offset) {
  const Error none = not_found("no dead letter is kept at offset " + std::to_string(offset));
  if (offset >= next_) return none;
  const Result<MessagePtr> message = body(offset);
  if (!message && message.error().code == Code::kNotFound) return none;
  if (!message) return message.error();
  const bool dead = (*message)->headers.contains(std::string(kDeadGroup));
  if (!dead || !state_.keeps((*message)->subject, offset)) return none;
  return message;
}

void Broker::Impl::retry_letter(std::uint64_t offset, std::vector<Part> parts,
                                const Done<Published>& done) {
  const Result<MessagePtr> letter = letter_at(offset);
  if (!letter) return done(letter.error());
  const auto origin = (*letter)->headers.find(std::string(kDeadOrigin));
  if (origin == (*letter)->headers.end())
    return done(Error{Code::kPrecondition, "the letter does not say where it came from"});
  Message again = **letter;
  again.id.clear();
  again.subject = origin->second;
  again.cause = (*letter)->id;
  if (!parts.empty()) again.parts = std::move(parts);
  std::erase_if(again.headers, [](const auto& h) { return h.first.starts_with(kDeadPrefix); });
  if (const Status good = prepare(again); !good) return done(good.error());
  const Published published{again.id, next_, log_.durability(), false};
  Changes changes;
  changes.publish.push_back(std::make_shared<const Message>(std::move(again)));
  if (const Status free = apply_busy(changes, {}); !free) return done(free.error());
  if (const Status room = check_room(changes); !room) return done(room.error());
  changes.rest.emplace_back(
      record::Removed{time_.now_ms(), {offset}, "sent again", (*letter)->subject});
  const auto appended = append(std::move(changes), [done, published](Status status) {
    status ? done(published) : done(std::move(status.error()));
  });
  if (!appended) done(appended.error());
}

void Broker::Impl::drop_letter(std::uint64_t offset, const std::string& reason,
                               const Done<void>& done) {
  const Result<MessagePtr> letter = letter_at(offset);
  if (!letter) return done(letter.error());
  const auto appended = append(
      {{},
       {record::Removed{
           time_.now_ms(), {offset}, cut_utf8(reason, kReasonBytesMax), (*letter)->subject}}},
      done);
  if (!appended) done(appended.error());
}

}  // namespace qiao
