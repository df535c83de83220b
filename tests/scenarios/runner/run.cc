// SPDX-License-Identifier: Apache-2.0
// The commands of a scenario, against a broker on a virtual clock.
#include "scenarios/runner/run.h"

#include <algorithm>
#include <utility>

namespace qiao::scenario {
namespace {

using testing::FaultyDisk;

Error at(const Scenario& scenario, int line, const std::string& why) {
  return {Code::kPrecondition, scenario.file + ":" + std::to_string(line) + ": " + why};
}

}  // namespace

std::string Run::describe(const Error& error) {
  return std::string(qiao::name_of(error.code)) + " (" + error.message + ")";
}

Status Run::run(const Scenario& scenario) {
  QIAO_TRY(bus_.open());
  for (const Scenario::Line& line : scenario.lines) {
    if (const Status done = step(line.text); !done)
      return at(scenario, line.number, done.error().message);
    last_line_ = line.number;
  }
  if (failed_)
    return at(scenario, last_line_, "failed with " + describe(*failed_) + ", as nobody expected");
  return {};
}

Status Run::step(std::string_view line) {
  QIAO_ASSIGN(Words words, Words::split(line));
  const std::string verb = words.word("a command");
  const auto found = commands().find(verb);
  if (found == commands().end()) return invalid_argument("there is no command '" + verb + "'");
  const bool needs_none = verb == "reopen" || verb == "expect" || verb == "disk" || verb == "clock";
  if (!bus_.is_open() && !needs_none) return unmet("the broker is not open");
  if (failed_ && verb != "expect")
    return unmet("the command before failed with " + describe(*failed_));
  return (this->*found->second)(words);
}

const std::map<std::string, Run::Command, std::less<>>& Run::commands() {
  static const std::map<std::string, Command, std::less<>> kCommands = {
      {"group", &Run::group},     {"delete", &Run::delete_group},
      {"publish", &Run::publish}, {"lease", &Run::lease},
      {"ack", &Run::ack},         {"nack", &Run::nack},
      {"extend", &Run::extend},   {"commit", &Run::commit},
      {"cancel", &Run::cancel},   {"subscribe", &Run::subscribe},
      {"request", &Run::request}, {"unsubscribe", &Run::unsubscribe},
      {"reply", &Run::reply},     {"advance", &Run::advance},
      {"crash", &Run::crash},     {"stop", &Run::stop},
      {"reopen", &Run::reopen},   {"snapshot", &Run::snapshot},
      {"disk", &Run::disk},       {"expect", &Run::expect},
      {"begin", &Run::begin},     {"write", &Run::write},
      {"follow", &Run::follow},   {"resume", &Run::resume},
      {"leave", &Run::leave},     {"finish", &Run::finish_stream},
      {"park", &Run::park},       {"wake", &Run::wake},
      {"join", &Run::join},       {"letter", &Run::letter},
      {"clock", &Run::clock},     {"receipt", &Run::receipt},
      {"topic", &Run::topic}};
  return kCommands;
}

// -- Groups and messages

Status Run::group(Words& words) {
  GroupSpec spec;
  spec.name = words.word("the group's name");
  if (!words.take_if("pattern")) words.fail("here stands 'pattern'");
  spec.pattern = words.word("a pattern");
  while (words.ok() && !words.empty()) {
    if (words.take_if("start")) {
      if (words.take_if("oldest")) {
        spec.start.at = GroupStart::At::kOldest;
      } else if (!words.take_if("now")) {
        spec.start = {GroupStart::At::kOffset, words.number("oldest, now or an offset")};
      }
    } else if (words.take_if("lease")) {
      spec.lease_ms = words.duration_ms();
    } else if (words.take_if("attempts")) {
      spec.attempts_max = static_cast<std::int32_t>(words.number("the attempts"));
    } else if (words.take_if("dead")) {
      spec.dead_letter = words.word("a subject");
    } else if (words.take_if("unordered")) {
      spec.ordered = false;
    } else if (words.take_if("backlog")) {
      spec.backlog_max = words.number("a number of messages");
    } else {
      break;
    }
  }
  take_delivery(words, spec);
  QIAO_TRY(words.finish());
  return judge(bus_.create_group(spec));
}

Status Run::delete_group(Words& words) {
  const std::string name = words.word("the group's name");
  QIAO_TRY(words.finish());
  return judge(bus_.call<void>([&](auto done) { bus_.broker().delete_group(name, done); }));
}

Status Run::topic(Words& words) {
  TopicSpec spec;
  spec.pattern = words.word("a pattern");
  if (words.take_if("unset")) {
    QIAO_TRY(words.finish());
    return judge(bus_.call<void>(
        [&](auto done) { bus_.broker().erase_topic_settings(spec.pattern, done); }));
  }
  while (words.ok() && !words.empty()) {
    if (words.take_if("age")) {
      spec.retain_ms = words.duration_ms();
    } else if (words.take_if("messages")) {
      spec.retain_messages = words.number("a number");
    } else if (words.take_if("bytes")) {
      spec.retain_bytes = words.number("a number");
    } else if (words.take_if("compact")) {
      spec.compact = true;
    } else if (words.take_if("drop-unacked")) {
      spec.drop_unacked = true;
    } else if (words.take_if("backlog")) {
      spec.backlog_max = words.number("a number of messages");
    } else {
      break;
    }
  }
  QIAO_TRY(words.finish());
  return judge(bus_.call<void>([&](auto done) { bus_.broker().set_topic(spec, done); }));
}

// hops N, tokens N, calls N, cost N, messages N, wall TIME: those that are there
void Run::take_budget(Words& words, Budget& budget) {
  while (words.ok()) {
    if (words.take_if("hops")) {
      budget.hops = static_cast<std::int32_t>(words.number("hops"));
    } else if (words.take_if("tokens")) {
      budget.tokens = static_cast<std::int64_t>(words.number("tokens"));
    } else if (words.take_if("calls")) {
      budget.calls = static_cast<std::int32_t>(words.number("calls"));
    } else if (words.take_if("cost")) {
      budget.cost_micro = static_cast<std::int64_t>(words.number("a cost"));
    } else if (words.take_if("messages")) {
      budget.messages = static_cast<std::int32_t>(words.number("messages"));
    } else if (words.take_if("wall")) {
      budget.wall_ms = words.duration_ms();
    } else {
      break;
    }
  }
}

// SUBJECT "TEXT" and options
Message Run::message(Words& words) {
  Message message;
  message.subject = words.word("a subject");
  message.parts.push_back({Part::Kind::kText, "", words.text()});
  while (words.ok() && !words.empty()) {
    if (words.take_if("id")) {
      message.id = words.word("an id");
    } else if (words.take_if("conversation")) {
      message.conversation = words.word("a conversation");
    } else if (words.take_if("deadline")) {
      message.deadline_ms = bus_.clock().wall_ms() + words.duration_ms();
    } else if (words.take_if("delay")) {
      message.deliver_at_ms = bus_.clock().wall_ms() + words.duration_ms();
    } else if (words.take_if("cause")) {
      message.cause = words.word("an id");
    } else if (words.take_if("from")) {
      message.source = words.word("a source");
    } else if (words.take_if("budget")) {
      take_budget(words, message.budget);
    } else if (words.take_if("key")) {
      message.key = words.word("a key");
    } else if (words.take_if("priority")) {
      message.priority = static_cast<std::uint8_t>(words.number("0 to 9"));
    } else {
      break;
    }
  }
  return message;
}

Status Run::publish(Words& words) {
  Commit commit;
  commit.publish.push_back(message(words));
  if (words.take_if("expected-last")) {
    Expectation expectation;
    if (!words.take_if("none")) expectation.last = words.number("an offset or none");
    commit.expected.push_back(expectation);
  }
  QIAO_TRY(words.finish());
  const auto published =
      bus_.call<std::vector<Published>>([&](auto done) { bus_.broker().commit(commit, done); });
  if (published) published_ = published->front();
  return judge(published);
}

// -- Leases

Status Run::lease(Words& words) {
  const std::string group = words.word("the group's name");
  if (!words.take_if("by")) words.fail("here stands 'by'");
  const std::string consumer = words.word("a consumer");
  LeaseWish wish{consumer};
  if (words.take_if("count")) wish.count = words.number("a count");
  if (words.take_if("wait")) wish.wait_ms = words.duration_ms();
  if (words.take_if("tokens-per-s")) wish.capacity.tokens_per_s = words.number("tokens");
  if (words.take_if("context")) wish.capacity.context_tokens = words.number("tokens");
  QIAO_TRY(words.finish());
  leases_.push_back({group, bus_.begin<std::vector<Delivery>>(
                                [&](auto done) { bus_.broker().lease(group, wish, done); })});
  bus_.settle();
  collect();
  return {};
}

// Takes in what has been answered meanwhile.
void Run::collect() {
  std::erase_if(leases_, [this](const Lease& lease) {
    if (!lease.answer->has_value()) return false;
    const Result<std::vector<Delivery>>& deliveries = **lease.answer;
    if (!deliveries) {
      failed_ = deliveries.error();
      return true;
    }
    for (const Delivery& delivery : *deliveries) {
      delivered_[lease.group].push_back(delivery);
      known_[lease.group][delivery.message.text()].push_back(delivery);
      reply_to_[delivery.message.text()] = delivery.message.reply_to;
    }
    return true;
  });
}

// GROUP "TEXT" [attempt N | delivery N]: the lease of the delivery seen last, of the N-th, or what
// is known by its attempt alone.
LeaseRef Run::lease_of(Words& words, Status& status) {
  const std::string group = words.word("the group's name");
  const std::string text = words.text();
  const std::vector<Delivery>& seen = known_[group][text];
  std::size_t number = seen.size();
  if (words.take_if("delivery")) number = words.number("a number from 1");
  if (number < 1 || number > seen.size()) {
    status = unmet("group " + group + " delivered " + in_quotes(text) + " " +
                   std::to_string(seen.size()) + " times");
    return {};
  }
  const Delivery& delivery = seen[number - 1];
  if (!words.take_if("attempt")) return qiao::lease_of(delivery);
  return {group, delivery.offset, static_cast<std::uint32_t>(words.number("an attempt"))};
}

Status Run::ack(Words& words) {
  Status known;
  LeaseRef lease = lease_of(words, known);
  if (words.take_if("through")) lease.through = words.number("an offset");
  QIAO_TRY(words.finish());
  QIAO_TRY(known);
  return judge(bus_.call<void>([&](auto done) { bus_.broker().ack({lease}, done); }));
}

Status Run::nack(Words& words) {
  Status known;
  const LeaseRef lease = lease_of(words, known);
  Failure failure;
  failure.counts = !words.take_if("uncounted");
  if (words.take_if("delay")) failure.delay_ms = words.duration_ms();
  if (words.take_if("error")) failure.error = words.word("a class of error");
  if (words.take_if("reason")) failure.reason = words.text();
  QIAO_TRY(words.finish());
  QIAO_TRY(known);
  return judge(bus_.call<void>([&](auto done) { bus_.broker().nack(lease, failure, done); }));
}

Status Run::extend(Words& words) {
  Status known;
  const LeaseRef lease = lease_of(words, known);
  if (!words.take_if("to")) words.fail("here stands 'to'");
  const std::int64_t lease_ms = words.duration_ms();
  QIAO_TRY(words.finish());
  QIAO_TRY(known);
  return judge(
      bus_.call<std::int64_t>([&](auto done) { bus_.broker().extend(lease, lease_ms, done); }));
}

Status Run::commit(Words& words) {
  Commit commit;
  Status known;
  while (words.ok() && known && !words.empty()) {
    if (words.take_if("publish")) {
      commit.publish.push_back(message(words));
    } else if (words.take_if("ack")) {
      commit.ack.push_back(lease_of(words, known));
    } else if (words.take_if("park")) {
      commit.park.push_back(parking(words, known));
    } else if (words.take_if("wake")) {
      commit.wake.push_back(waking(words, known));
    } else if (words.take_if("receipt")) {
      LeaseRef lease = lease_of(words, known);
      commit.receipts.push_back({std::move(lease), step_receipt(words)});
    } else if (words.take_if("event")) {
      commit.events.push_back({0, "", "", words.word("the event's type"), Json::object()});
    } else {
      break;
    }
  }
  QIAO_TRY(known);
  QIAO_TRY(words.finish());
  return judge(
      bus_.call<std::vector<Published>>([&](auto done) { bus_.broker().commit(commit, done); }));
}

Status Run::cancel(Words& words) {
  const std::string group = words.word("the group's name");
  if (!words.take_if("by")) words.fail("here stands 'by'");
  const std::string consumer = words.word("a consumer");
  QIAO_TRY(words.finish());
  bus_.broker().cancel_wait(group, consumer);
  return judge(Status());
}

// -- Subscriptions and requests

Status Run::subscribe(Words& words) {
  const std::string name = words.word("a name");
  const std::string pattern = words.word("a pattern");
  std::optional<std::uint64_t> from;
  if (words.take_if("from")) from = words.number("an offset");
  QIAO_TRY(words.finish());
  if (subscribers_.contains(name)) return unmet("there is a subscriber " + name);
  Subscriber& subscriber = subscribers_[name];
  subscriber.seen = std::make_shared<std::vector<std::string>>();
  subscriber.id = bus_.broker().subscribe(
      pattern, from, [this, seen = subscriber.seen](const StoredMessage& stored) {
        seen->push_back(stored.message.text());
        reply_to_[stored.message.text()] = stored.message.reply_to;
      });
  return judge(Status());
}

Status Run::unsubscribe(Words& words) {
  const std::string name = words.word("a name");
  QIAO_TRY(words.finish());
  const auto found = subscribers_.find(name);
  if (found == subscribers_.end()) return unmet("there is no subscriber " + name);
  bus_.broker().unsubscribe(found->second.id);
  return judge(Status());
}

Status Run::request(Words& words) {
  const std::string name = words.word("a name");
  Message question = message(words);
  if (!words.take_if("timeout")) words.fail("here stands 'timeout'");
  const std::int64_t timeout_ms = words.duration_ms();
  QIAO_TRY(words.finish());
  if (question.id.empty()) question.id = "request-" + name;
  request_ids_[name] = question.id;
  requests_[name] = bus_.begin<Message>(
      [&](auto done) { bus_.broker().request(std::move(question), timeout_ms, done); });
  return judge(Status());
}

Status Run::reply(Words& words) {
  const std::string question = words.text();
  const std::string answer = words.text();
  QIAO_TRY(words.finish());
  const auto inbox = reply_to_.find(question);
  if (inbox == reply_to_.end() || inbox->second.empty())
    return unmet("nobody got the request " + in_quotes(question));
  return judge(bus_.publish(text_message(inbox->second, answer)));
}

// -- Time and ends

Status Run::advance(Words& words) {
  const std::int64_t ms = words.duration_ms();
  QIAO_TRY(words.finish());
  bus_.advance_ms(ms);
  collect();
  return {};
}

void Run::forget() {
  leases_.clear();
  joins_.clear();
  delivered_.clear();
  subscribers_.clear();
  forget_streams();
}

Status Run::crash(Words& words) {
  const bool torn = words.take_if("torn");
  QIAO_TRY(words.finish());
  forget_streams();
  bus_.crash(torn ? FaultyDisk::Crash::kTearUnsynced : FaultyDisk::Crash::kLoseUnsynced);
  forget();
  return {};
}

Status Run::stop(Words& words) {
  QIAO_TRY(words.finish());
  if (streams_) streams_->flush();
  bus_.stop();
  collect();
  const std::optional<Error> failed = failed_;
  forget();
  failed_ = failed;
  return {};
}

Status Run::reopen(Words& words) {
  QIAO_TRY(words.finish());
  if (bus_.is_open()) return unmet("the broker is open");
  if (const Status opened = bus_.open(); !opened) failed_ = opened.error();
  return {};
}

Status Run::snapshot(Words& words) {
  QIAO_TRY(words.finish());
  return judge(bus_.call<void>([&](auto done) { bus_.broker().snapshot(done); }));
}

Status Run::disk(Words& words) {
  const bool fails = words.take_if("fails");
  if (!fails && !words.take_if("works")) words.fail("here stands 'fails' or 'works'");
  QIAO_TRY(words.finish());
  bus_.disk().fail_after(fails ? 1 : 0);
  return {};
}

Status run_scenario(const Scenario& scenario, testing::BrokerHarness::Kind kind) {
  Run run(kind);
  return run.run(scenario);
}

}  // namespace qiao::scenario
