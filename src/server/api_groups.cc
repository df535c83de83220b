// SPDX-License-Identifier: Apache-2.0
// Consumer groups: create, list, delete, lease, ack, nack, extend.
#include <atomic>

#include "server/api.h"
#include "server/fields.h"

namespace qiao::server {
namespace {

constexpr std::int64_t kLeaseMsMax = 24 * 60 * 60 * 1'000;
constexpr std::int64_t kWaitMsMax = 60'000;
constexpr std::int64_t kLeaseCountMax = 256;
constexpr std::int64_t kAttemptsMax = 1'000'000;
constexpr std::size_t kAckMax = 1'000;  // leases of one call
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
  json["waiting"] = info.waiting;
  json["leased"] = info.leased;
  json["acked"] = info.acked;
  json["oldest_waiting_ms"] = info.oldest_waiting_ms;
  return json;
}

Json to_json(const Delivery& delivery) {
  return Json{{"group", delivery.group},
              {"offset", delivery.offset},
              {"attempt", delivery.attempt},
              {"until_ms", delivery.until_ms},
              {"message", qiao::to_json(delivery.message)}};
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
  QIAO_TRY(fields.finish());
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
    broker.nack({delivery.group, delivery.offset, delivery.attempt}, 0, false,
                "the consumer went away", [](const Status&) {});
  }
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
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());

  auto gone = std::make_shared<std::atomic<bool>>(false);
  services.broker.lease(
      call.parameter, consumer, static_cast<std::size_t>(count), wait_ms,
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
}

Result<std::vector<LeaseRef>> leases_of(const std::string& group, const Json& body) {
  Fields fields(body);
  const Json* list = fields.list("leases");
  QIAO_TRY(fields.finish());
  if (list == nullptr || list->empty() || list->size() > kAckMax) {
    return invalid_argument("'leases' is a list of 1 to " + std::to_string(kAckMax) +
                            " leases, each {\"offset\", \"attempt\"}");
  }
  std::vector<LeaseRef> leases;
  for (const Json& item : *list) {
    LeaseRef& lease = leases.emplace_back();
    lease.group = group;
    Fields entry(item);
    read_lease(entry, lease);
    QIAO_TRY(entry.finish());
  }
  return leases;
}

void ack(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Result<std::vector<LeaseRef>> leases = leases_of(call.parameter, *body);
  if (!leases) return send_error(*call.writer, leases.error());
  services.broker.ack(std::move(*leases), answer_done(call.writer));
}

void nack(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  LeaseRef lease;
  lease.group = call.parameter;
  read_lease(fields, lease);
  const std::int64_t delay_ms = fields.integer("delay_ms", 0, kLeaseMsMax).value_or(0);
  const bool counts = fields.flag("counts").value_or(true);
  std::string reason = fields.text("reason").value_or("");
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  services.broker.nack(std::move(lease), delay_ms, counts, std::move(reason),
                       answer_done(call.writer));
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
  router.add("POST", "/v1/groups/{name}/extend",
             [&services](const Call& call) { extend(services, call); });
}

}  // namespace qiao::server
