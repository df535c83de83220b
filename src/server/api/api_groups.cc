// SPDX-License-Identifier: Apache-2.0
// Consumer groups: create, list, delete, lease, join, receipts, ack, nack, extend, park, wake; dead
// letters.
#include <atomic>
#include <charconv>

#include "server/api/api.h"
#include "server/api/fields.h"
#include "server/api/message_body.h"

namespace qiao::server {
namespace {

constexpr std::int64_t kLeaseMsMax = 24 * 60 * 60 * 1'000;
constexpr std::int64_t kWaitMsMax = 60'000;
constexpr std::int64_t kLeaseCountMax = 256;
constexpr std::int64_t kAttemptsMax = 1'000'000;
constexpr std::size_t kAckMax = 1'000;  // leases of one call
constexpr std::int64_t kFollowersMax = 1'000;
constexpr std::size_t kReceiptsMax = 64;  // of one call
constexpr std::string_view kFlowGroups = "flow.";

const char* name_of(GroupStart::At at) {
  switch (at) {
    case GroupStart::At::kOldest:
      return "oldest";
    case GroupStart::At::kNow:
      return "now";
    case GroupStart::At::kOffset:
      return "offset";
  }
  return "now";
}

Json to_json(const Backoff& backoff) {
  return Json{{"first_ms", backoff.first_ms}, {"max_ms", backoff.max_ms}};
}

Json to_json(const std::vector<RetryRule>& rules) {
  Json list = Json::array();
  for (const RetryRule& rule : rules) {
    list.push_back({{"error", rule.error},
                    {"attempts_max", rule.attempts_max},
                    {"backoff", to_json(rule.backoff)}});
  }
  return list;
}

Json to_json(const std::vector<StoredMessage>& messages) {
  Json list = Json::array();
  for (const StoredMessage& stored : messages)
    list.push_back({{"offset", stored.offset}, {"message", qiao::to_json(stored.message)}});
  return list;
}

// What was not stored over HTTP may be no JSON: it is shown as text.
Json to_json(const std::vector<StepReceipt>& receipts) {
  Json list = Json::array();
  for (const StepReceipt& receipt : receipts) {
    Result<Json> data = parse_json(receipt.data);
    list.push_back(
        {{"step", receipt.step}, {"data", data ? std::move(*data) : Json(receipt.data)}});
  }
  return list;
}

Json to_json(const GroupInfo& info) {
  const GroupSpec& spec = info.spec;
  Json json{{"name", spec.name}, {"pattern", spec.pattern}};
  if (spec.start.at == GroupStart::At::kOffset) {
    json["start"] = spec.start.offset;
  } else {
    json["start"] = name_of(spec.start.at);
  }
  json["lease_ms"] = spec.lease_ms;
  json["attempts_max"] = spec.attempts_max;
  json["dead_letter"] = spec.dead_letter.empty() ? "dead." + spec.name : spec.dead_letter;
  json["ordered"] = spec.ordered;
  json["busy"] = name_of(spec.busy);
  json["followers_max"] = spec.followers_max;
  json["backoff"] = to_json(spec.backoff);
  json["retry"] = to_json(spec.rules);
  json["backlog_max"] = spec.backlog_max;
  json["waiting"] = info.waiting;
  json["leased"] = info.leased;
  json["acked"] = info.acked;
  json["parked"] = info.parked;
  json["oldest_waiting_ms"] = info.oldest_waiting_ms;
  return json;
}

Json to_json(const Delivery& delivery) {
  Json json{{"group", delivery.group},       {"offset", delivery.offset},
            {"attempt", delivery.attempt},   {"lease", delivery.lease},
            {"until_ms", delivery.until_ms}, {"message", qiao::to_json(delivery.message)}};
  if (!delivery.followers.empty()) json["followers"] = to_json(delivery.followers);
  if (!delivery.receipts.empty()) json["receipts"] = to_json(delivery.receipts);
  return json;
}

void read_start(Fields& fields, GroupStart& start) {
  const Json* value = fields.any("start");
  if (value == nullptr) return;
  if (value->is_number_unsigned()) {
    start = {GroupStart::At::kOffset, value->get<std::uint64_t>()};
  } else if (*value == "oldest") {
    start.at = GroupStart::At::kOldest;
  } else if (*value != "now") {
    fields.fault("'start' is \"oldest\", \"now\" or an offset");
  }
}

// {"first_ms", "max_ms"}
Status read_backoff(const Json* value, Backoff& backoff) {
  if (value == nullptr) return {};
  Fields fields(*value);
  backoff.first_ms = fields.integer("first_ms", 0, kLeaseMsMax).value_or(backoff.first_ms);
  backoff.max_ms = fields.integer("max_ms", 1, kLeaseMsMax).value_or(backoff.max_ms);
  return fields.finish();
}

// [{"error", "attempts_max", "backoff"}, …]
Status read_rules(const Json* list, std::vector<RetryRule>& rules) {
  if (list == nullptr) return {};
  for (const Json& item : *list) {
    RetryRule& rule = rules.emplace_back();
    Fields fields(item);
    rule.error = fields.needed_text("error");
    rule.attempts_max = static_cast<std::int32_t>(
        fields.integer("attempts_max", 1, kAttemptsMax).value_or(rule.attempts_max));
    QIAO_TRY(read_backoff(fields.any("backoff"), rule.backoff));
    QIAO_TRY(fields.finish());
  }
  return {};
}

void read_busy(Fields& fields, Busy& busy) {
  const auto name = fields.text("busy");
  if (!name) return;
  const std::optional<Busy> known = busy_of(*name);
  if (!known) fields.fault("'busy' is enqueue, reject, merge, steer or interrupt");
  busy = known.value_or(busy);
}

Result<GroupSpec> spec_of(const std::string& name, const Json& body) {
  GroupSpec spec;
  spec.name = name;
  Fields fields(body);
  spec.pattern = fields.needed_text("pattern");
  read_start(fields, spec.start);
  spec.lease_ms = fields.integer("lease_ms", 1, kLeaseMsMax).value_or(spec.lease_ms);
  spec.attempts_max = static_cast<std::int32_t>(
      fields.integer("attempts_max", 1, kAttemptsMax).value_or(spec.attempts_max));
  spec.dead_letter = fields.text("dead_letter").value_or("");
  spec.ordered = fields.flag("ordered").value_or(spec.ordered);
  read_busy(fields, spec.busy);
  spec.followers_max = static_cast<std::uint32_t>(
      fields.integer("followers_max", 1, kFollowersMax).value_or(spec.followers_max));
  spec.backlog_max =
      static_cast<std::uint64_t>(fields.integer("backlog_max", 0, INT64_MAX).value_or(0));
  const Json* backoff = fields.any("backoff");
  const Json* rules = fields.list("retry");
  QIAO_TRY(fields.finish());
  QIAO_TRY(read_backoff(backoff, spec.backoff));
  QIAO_TRY(read_rules(rules, spec.rules));
  return spec;
}

// A flow's own groups are made and left by the flow alone.
Status check_owner(const std::string& group) {
  if (!group.starts_with(kFlowGroups)) return {};
  return Error{Code::kPermission, "the group '" + group + "' belongs to a flow"};
}

void create(const ApiServices& services, const Call& call) {
  if (const Status ours = check_owner(call.parameter); !ours)
    return send_error(*call.writer, ours.error());
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Result<GroupSpec> spec = spec_of(call.parameter, *body);
  if (!spec) return send_error(*call.writer, spec.error());
  services.broker.create_group(std::move(*spec), answer_done(call.writer));
}

void remove(const ApiServices& services, const Call& call) {
  if (const Status ours = check_owner(call.parameter); !ours)
    return send_error(*call.writer, ours.error());
  services.broker.delete_group(call.parameter, answer_done(call.writer));
}

// What a consumer that went away was given goes back at once, without eating an attempt.
void hand_back(Broker& broker, const std::vector<Delivery>& deliveries) {
  for (const Delivery& delivery : deliveries) {
    broker.nack(lease_of(delivery), 0, false, "the consumer went away", [](const Status&) {});
  }
}

Result<Capacity> read_capacity(const Json* value) {
  Capacity capacity;
  if (value == nullptr) return capacity;
  Fields fields(*value);
  capacity.tokens_per_s =
      static_cast<std::uint64_t>(fields.integer("tokens_per_s", 0, INT32_MAX).value_or(0));
  capacity.context_tokens =
      static_cast<std::uint64_t>(fields.integer("context_tokens", 0, INT32_MAX).value_or(0));
  QIAO_TRY(fields.finish());
  return capacity;
}

void lease(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  // Each call is a consumer of its own: ending its wait ends nobody else's.
  const std::string consumer =
      "http/" + fields.text("consumer").value_or("") + "#" + services.ids.next();
  const std::int64_t count = fields.integer("count", 1, kLeaseCountMax).value_or(1);
  const std::int64_t wait_ms = fields.integer("wait_ms", 0, kWaitMsMax).value_or(0);
  const Json* stated = fields.any("capacity");
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  const Result<Capacity> capacity = read_capacity(stated);
  if (!capacity) return send_error(*call.writer, capacity.error());

  auto gone = std::make_shared<std::atomic<bool>>(false);
  services.broker.lease(
      call.parameter, LeaseWish{consumer, static_cast<std::size_t>(count), wait_ms, *capacity},
      [&services, writer = call.writer, gone](const Result<std::vector<Delivery>>& deliveries) {
        if (!deliveries) return send_error(*writer, deliveries.error());
        if (gone->load()) return hand_back(services.broker, *deliveries);
        Json list = Json::array();
        for (const Delivery& delivery : *deliveries) list.push_back(to_json(delivery));
        send_json(*writer, 200, Json{{"deliveries", std::move(list)}});
      });
  call.writer->on_close([&services, gone, group = call.parameter, consumer] {
    gone->store(true);
    services.broker.cancel_wait(group, consumer);
  });
}

void read_lease(Fields& fields, LeaseRef& lease) {
  const auto offset = fields.integer("offset", 0, INT64_MAX);
  if (!offset) fields.fault("'offset' is missing");
  lease.offset = static_cast<std::uint64_t>(offset.value_or(0));
  lease.attempt = static_cast<std::uint32_t>(fields.integer("attempt", 0, UINT32_MAX).value_or(0));
  lease.lease = static_cast<std::uint64_t>(fields.integer("lease", 0, INT64_MAX).value_or(0));
}

Status read_leases(const std::string& group, const Json* list, std::vector<LeaseRef>& leases) {
  if (list == nullptr || list->empty() || list->size() > kAckMax) {
    return invalid_argument("'leases' is a list of 1 to " + std::to_string(kAckMax) +
                            " leases, each {\"offset\", \"lease\"}");
  }
  for (const Json& item : *list) {
    LeaseRef& lease = leases.emplace_back();
    lease.group = group;
    Fields entry(item);
    read_lease(entry, lease);
    if (const auto through = entry.integer("through", 0, INT64_MAX))
      lease.through = static_cast<std::uint64_t>(*through);
    QIAO_TRY(entry.finish());
  }
  return {};
}

// What came of the work: messages with their own subjects.
Status read_results(const Json* list, std::vector<Message>& messages) {
  if (list == nullptr) return {};
  if (list->size() > kAckMax)
    return invalid_argument("'publish' is a list of at most " + std::to_string(kAckMax) +
                            " messages");
  for (const Json& item : *list) {
    const std::string place = "message " + std::to_string(messages.size()) + " of 'publish'";
    const auto subject = json_string(item, "subject");
    if (!subject) return invalid_argument(place + " needs a 'subject'");
    Result<Message> message = message_of(*subject, item);
    if (!message) return std::move(message.error()).with(place);
    messages.push_back(std::move(*message));
  }
  return {};
}

Result<Commit> commit_of(const std::string& group, const Json& body) {
  Fields fields(body);
  const Json* leases = fields.list("leases");
  const Json* results = fields.list("publish");
  QIAO_TRY(fields.finish());
  Commit commit;
  QIAO_TRY(read_leases(group, leases, commit.ack));
  QIAO_TRY(read_results(results, commit.publish));
  return commit;
}

void ack(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Result<Commit> commit = commit_of(call.parameter, *body);
  if (!commit) return send_error(*call.writer, commit.error());
  if (commit->publish.empty())
    return services.broker.ack(std::move(commit->ack), answer_done(call.writer));
  services.broker.commit(
      std::move(*commit),
      answer_with<std::vector<Published>>(call.writer, [](const std::vector<Published>& published) {
        return Json{{"messages", published_json(published)}};
      }));
}

void nack(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  LeaseRef lease;
  lease.group = call.parameter;
  read_lease(fields, lease);
  Failure failure;
  failure.delay_ms = fields.integer("delay_ms", 0, kLeaseMsMax).value_or(0);
  failure.counts = fields.flag("counts").value_or(true);
  failure.reason = fields.text("reason").value_or("");
  failure.error = fields.text("error").value_or("");
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  services.broker.nack(std::move(lease), std::move(failure), answer_done(call.writer));
}

void join(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  LeaseRef lease;
  lease.group = call.parameter;
  read_lease(fields, lease);
  JoinWish wish;
  wish.wait_ms = fields.integer("wait_ms", 0, kWaitMsMax).value_or(0);
  if (const auto after = fields.integer("after", 0, INT64_MAX))
    wish.after = static_cast<std::uint64_t>(*after);
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  services.broker.join(std::move(lease), wish,
                       answer_with<std::vector<StoredMessage>>(
                           call.writer, [](const std::vector<StoredMessage>& followers) {
                             return Json{{"followers", to_json(followers)}};
                           }));
}

Result<std::vector<StepReceipt>> receipts_from(const Json* list) {
  if (list == nullptr || list->empty() || list->size() > kReceiptsMax) {
    return invalid_argument("'receipts' is a list of 1 to " + std::to_string(kReceiptsMax) +
                            " receipts, each {\"step\", \"data\"}");
  }
  std::vector<StepReceipt> receipts;
  for (const Json& item : *list) {
    Fields entry(item);
    std::string step = entry.needed_text("step");
    const Json* data = entry.any("data");
    if (data == nullptr) entry.fault("'data' is missing");
    QIAO_TRY(entry.finish());
    receipts.push_back({std::move(step), dump_json(*data)});
  }
  return receipts;
}

void store_receipts(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  LeaseRef lease;
  lease.group = call.parameter;
  read_lease(fields, lease);
  const Json* list = fields.list("receipts");
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  Result<std::vector<StepReceipt>> receipts = receipts_from(list);
  if (!receipts) return send_error(*call.writer, receipts.error());
  services.broker.store_receipts(std::move(lease), std::move(*receipts), answer_done(call.writer));
}

void park(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  LeaseRef lease;
  lease.group = call.parameter;
  read_lease(fields, lease);
  const auto until_ms = fields.integer("until_ms", 0, INT64_MAX);
  if (!until_ms) fields.fault("'until_ms' is missing");
  std::string reason = fields.text("reason").value_or("");
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  services.broker.park(std::move(lease), *until_ms, std::move(reason), answer_done(call.writer));
}

void wake(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  const auto offset = fields.integer("offset", 0, INT64_MAX);
  if (!offset) fields.fault("'offset' is missing");
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  services.broker.wake(call.parameter, static_cast<std::uint64_t>(*offset),
                       answer_done(call.writer));
}

void list_parked(const ApiServices& services, const Call& call) {
  services.broker.parked(call.parameter,
                         answer_with<std::vector<ParkedMessage>>(
                             call.writer, [](const std::vector<ParkedMessage>& parked) {
                               Json list = Json::array();
                               for (const ParkedMessage& one : parked) {
                                 list.push_back({{"offset", one.offset},
                                                 {"until_ms", one.until_ms},
                                                 {"reason", one.reason},
                                                 {"message", qiao::to_json(one.message)}});
                               }
                               return Json{{"parked", std::move(list)}};
                             }));
}

Result<std::uint64_t> offset_of(const std::string& text) {
  std::uint64_t offset = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), offset);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
    return invalid_argument("a dead letter is named by its offset, not '" + text + "'");
  return offset;
}

// With a text it takes the place of the letter's parts.
void retry_letter(const ApiServices& services, const Call& call) {
  const Result<std::uint64_t> offset = offset_of(call.parameter);
  if (!offset) return send_error(*call.writer, offset.error());
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  const std::optional<std::string> text = fields.text("text");
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  std::vector<Part> parts;
  if (text) parts.push_back({Part::Kind::kText, "", *text});
  services.broker.retry_letter(*offset, std::move(parts),
                               answer_with<Published>(call.writer, [](const Published& published) {
                                 return Json{{"id", published.id}, {"offset", published.offset}};
                               }));
}

void drop_letter(const ApiServices& services, const Call& call) {
  const Result<std::uint64_t> offset = offset_of(call.parameter);
  if (!offset) return send_error(*call.writer, offset.error());
  services.broker.drop_letter(*offset, "dropped by a person", answer_done(call.writer));
}

void extend(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  LeaseRef lease;
  lease.group = call.parameter;
  read_lease(fields, lease);
  const auto lease_ms = fields.integer("lease_ms", 1, kLeaseMsMax);
  if (!lease_ms) fields.fault("'lease_ms' is missing");
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  services.broker.extend(std::move(lease), *lease_ms,
                         answer_with<std::int64_t>(call.writer, [](std::int64_t until_ms) {
                           return Json{{"until_ms", until_ms}};
                         }));
}

void list_groups(const ApiServices& services, const Call& call) {
  services.broker.groups(
      answer_with<std::vector<GroupInfo>>(call.writer, [](const std::vector<GroupInfo>& groups) {
        Json list = Json::array();
        for (const GroupInfo& group : groups) list.push_back(to_json(group));
        return Json{{"groups", std::move(list)}};
      }));
}

}  // namespace

void add_group_routes(Router& router, const ApiServices& services) {
  router.add("GET", "/v1/groups", [&services](const Call& call) { list_groups(services, call); });
  router.add("PUT", "/v1/groups/{name}", [&services](const Call& call) { create(services, call); });
  router.add("DELETE", "/v1/groups/{name}",
             [&services](const Call& call) { remove(services, call); });
  router.add("POST", "/v1/groups/{name}/lease",
             [&services](const Call& call) { lease(services, call); });
  router.add("POST", "/v1/groups/{name}/ack",
             [&services](const Call& call) { ack(services, call); });
  router.add("POST", "/v1/groups/{name}/nack",
             [&services](const Call& call) { nack(services, call); });
  router.add("POST", "/v1/groups/{name}/join",
             [&services](const Call& call) { join(services, call); });
  router.add("POST", "/v1/groups/{name}/receipts",
             [&services](const Call& call) { store_receipts(services, call); });
  router.add("POST", "/v1/groups/{name}/park",
             [&services](const Call& call) { park(services, call); });
  router.add("POST", "/v1/groups/{name}/wake",
             [&services](const Call& call) { wake(services, call); });
  router.add("GET", "/v1/groups/{name}/parked",
             [&services](const Call& call) { list_parked(services, call); });
  router.add("POST", "/v1/dead-letters/{offset}/retry",
             [&services](const Call& call) { retry_letter(services, call); });
  router.add("DELETE", "/v1/dead-letters/{offset}",
             [&services](const Call& call) { drop_letter(services, call); });
  router.add("POST", "/v1/groups/{name}/extend",
             [&services](const Call& call) { extend(services, call); });
}

}  // namespace qiao::server
