// SPDX-License-Identifier: Apache-2.0
// The commands about conversations at work, retries, parks and dead letters.
#include <utility>

#include "scenarios/runner/run.h"

namespace qiao::scenario {

// What stands behind a group's pattern, start, lease and attempts.
void Run::take_delivery(Words& words, GroupSpec& spec) {
  while (words.ok() && !words.empty()) {
    if (words.take_if("busy")) {
      const std::string name = words.word("a policy");
      const std::optional<Busy> busy = busy_of(name);
      if (!busy) words.fail("there is no policy '" + name + "'");
      spec.busy = busy.value_or(Busy::kEnqueue);
    } else if (words.take_if("followers")) {
      spec.followers_max = static_cast<std::uint32_t>(words.number("a number"));
    } else if (words.take_if("backoff")) {
      spec.backoff = take_backoff(words);
    } else if (words.take_if("on")) {
      RetryRule& rule = spec.rules.emplace_back();
      rule.error = words.word("a class of error");
      if (words.take_if("attempts"))
        rule.attempts_max = static_cast<std::int32_t>(words.number("the attempts"));
      if (words.take_if("backoff")) rule.backoff = take_backoff(words);
    } else {
      break;
    }
  }
}

// FIRST MAX
Backoff Run::take_backoff(Words& words) {
  Backoff backoff;
  backoff.first_ms = words.duration_ms();
  backoff.max_ms = words.duration_ms();
  return backoff;
}

// GROUP "TEXT" [attempt N | delivery N] for TIME [reason "TEXT"]
Park Run::parking(Words& words, Status& status) {
  Park park;
  park.lease = lease_of(words, status);
  if (!words.take_if("for")) words.fail("here stands 'for'");
  park.until_ms = bus_.clock().wall_ms() + words.duration_ms();
  if (words.take_if("reason")) park.reason = words.text();
  return park;
}

// GROUP "TEXT"
Wake Run::waking(Words& words, Status& status) {
  const LeaseRef lease = lease_of(words, status);
  return {lease.group, lease.offset};
}

Status Run::park(Words& words) {
  Status known;
  const Park park = parking(words, known);
  QIAO_TRY(words.finish());
  QIAO_TRY(known);
  return judge(bus_.call<void>(
      [&](auto done) { bus_.broker().park(park.lease, park.until_ms, park.reason, done); }));
}

Status Run::wake(Words& words) {
  Status known;
  const Wake wake = waking(words, known);
  QIAO_TRY(words.finish());
  QIAO_TRY(known);
  return judge(
      bus_.call<void>([&](auto done) { bus_.broker().wake(wake.group, wake.offset, done); }));
}

// Its answer may come later: `expect joined`, `expect ended`.
Status Run::join(Words& words) {
  Status known;
  const LeaseRef lease = lease_of(words, known);
  JoinWish wish;
  if (words.take_if("wait")) wish.wait_ms = words.duration_ms();
  if (words.take_if("after")) wish.after = words.number("an offset");
  QIAO_TRY(words.finish());
  QIAO_TRY(known);
  std::string text;
  for (const auto& [said, seen] : known_[lease.group]) {
    if (!seen.empty() && seen.back().offset == lease.offset) text = said;
  }
  joins_[{lease.group, text}] = bus_.begin<std::vector<StoredMessage>>(
      [&](auto done) { bus_.broker().join(lease, wish, done); });
  bus_.settle();
  const Joined& joined = joins_[{lease.group, text}];
  if (joined->has_value() && !**joined) failed_ = (**joined).error();
  return {};
}

// STEP "DATA" or STEP of N bytes
StepReceipt Run::step_receipt(Words& words) {
  StepReceipt receipt{words.word("a step"), {}};
  if (words.take_if("of")) {
    receipt.data.assign(words.number("a number"), '.');
    if (!words.take_if("bytes")) words.fail("here stands 'bytes'");
  } else {
    receipt.data = words.text();
  }
  return receipt;
}

Status Run::receipt(Words& words) {
  Status known;
  const LeaseRef lease = lease_of(words, known);
  std::vector<StepReceipt> receipts;
  do {
    receipts.push_back(step_receipt(words));
  } while (words.ok() && !words.empty());
  QIAO_TRY(words.finish());
  QIAO_TRY(known);
  return judge(
      bus_.call<void>([&](auto done) { bus_.broker().store_receipts(lease, receipts, done); }));
}

Result<std::uint64_t> Run::letter_offset(const std::string& subject, const std::string& text) {
  QIAO_ASSIGN(const Page page, bus_.read(subject));
  for (const StoredMessage& stored : page.messages) {
    if (stored.message.text() == text) return stored.offset;
  }
  return unmet("no such letter among " + std::to_string(page.messages.size()));
}

// letter retry SUBJECT "TEXT" [as "TEXT"], letter drop SUBJECT "TEXT" [reason "TEXT"]; an offset
// may stand in place of both
Status Run::letter(Words& words) {
  const bool retry = words.take_if("retry");
  if (!retry && !words.take_if("drop")) words.fail("here stands 'retry' or 'drop'");
  std::uint64_t offset = 0;
  Result<std::uint64_t> found = offset;
  if (words.take_if("at")) {
    found = words.number("an offset");
  } else {
    const std::string subject = words.word("a subject");
    const std::string text = words.text();
    if (words.ok()) found = letter_offset(subject, text);
  }
  std::vector<Part> parts;
  std::string reason;
  if (words.take_if("as")) parts.push_back({Part::Kind::kText, "", words.text()});
  if (words.take_if("reason")) reason = words.text();
  QIAO_TRY(words.finish());
  QIAO_ASSIGN(offset, std::move(found));
  if (!retry)
    return judge(
        bus_.call<void>([&](auto done) { bus_.broker().drop_letter(offset, reason, done); }));
  return judge(
      bus_.call<Published>([&](auto done) { bus_.broker().retry_letter(offset, parts, done); }));
}

// The wall clock is set; the time that passes is not changed.
Status Run::clock(Words& words) {
  const bool back = words.take_if("back");
  if (!back && !words.take_if("forward")) words.fail("here stands 'back' or 'forward'");
  const std::int64_t ms = words.duration_ms();
  QIAO_TRY(words.finish());
  bus_.clock().jump_ms(back ? -ms : ms);
  return {};
}

}  // namespace qiao::scenario
