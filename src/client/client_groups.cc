// SPDX-License-Identifier: Apache-2.0
#include "client/client.h"

namespace qiao {
namespace {

constexpr std::int64_t kTravelMs = 5'000;

std::string group_path(const std::string& group, std::string_view what = {}) {
  std::string path = "/v1/groups/" + url_escape(group);
  if (!what.empty()) path.append("/").append(what);
  return path;
}

Json lease_json(const LeasedMessage& leased) {
  return Json{{"offset", leased.offset}, {"lease", leased.lease}};
}

Result<LeasedMessage> leased_from_json(const Json& json) {
  LeasedMessage leased;
  leased.group = json_string(json, "group").value_or("");
  leased.offset = static_cast<std::uint64_t>(json_integer(json, "offset").value_or(0));
  leased.attempt = static_cast<std::uint32_t>(json_integer(json, "attempt").value_or(0));
  leased.lease = static_cast<std::uint64_t>(json_integer(json, "lease").value_or(0));
  leased.until_ms = json_integer(json, "until_ms").value_or(0);
  if (!json.contains("message")) return internal("the server's delivery has no message");
  QIAO_ASSIGN(leased.message, message_from_json(json["message"]));
  if (!json.contains("receipts")) return leased;
  for (const Json& item : json["receipts"]) {
    leased.receipts.push_back(
        {json_string(item, "step").value_or(""), item.contains("data") ? item["data"] : Json()});
  }
  return leased;
}

// The API takes an offset as a number.
Json start_json(const std::string& start) {
  const bool number = !start.empty() && start.find_first_not_of("0123456789") == std::string::npos;
  return number ? Json::parse(start, nullptr, false) : Json(start);
}

}  // namespace

Status Client::create_group(const GroupOptions& options) const {
  const Json body{{"pattern", options.pattern},
                  {"start", start_json(options.start)},
                  {"lease_ms", options.lease_ms},
                  {"attempts_max", options.attempts_max},
                  {"ordered", options.ordered}};
  QIAO_TRY(call("PUT", group_path(options.name), body));
  return {};
}

Status Client::delete_group(const std::string& name) const {
  QIAO_TRY(call("DELETE", group_path(name)));
  return {};
}

Result<std::vector<LeasedMessage>> Client::lease(const std::string& group,
                                                 const std::string& consumer, std::size_t count,
                                                 std::int64_t wait_ms, std::stop_token stop) const {
  const Json body{{"consumer", consumer}, {"count", count}, {"wait_ms", wait_ms}};
  QIAO_ASSIGN(const Json json,
              call("POST", group_path(group, "lease"), body, wait_ms + kTravelMs, std::move(stop)));
  std::vector<LeasedMessage> leased;
  if (!json.contains("deliveries")) return leased;
  for (const Json& item : json["deliveries"]) {
    QIAO_ASSIGN(LeasedMessage one, leased_from_json(item));
    one.group = group;
    leased.push_back(std::move(one));
  }
  return leased;
}

Status Client::ack(const LeasedMessage& leased, const std::vector<Message>& results) const {
  Json body{{"leases", Json::array({lease_json(leased)})}};
  for (const Message& result : results) body["publish"].push_back(to_json(result));
  QIAO_TRY(call("POST", group_path(leased.group, "ack"), body));
  return {};
}

Status Client::store_receipts(const LeasedMessage& leased,
                              const std::vector<Receipt>& receipts) const {
  Json body = lease_json(leased);
  body["receipts"] = Json::array();
  for (const Receipt& receipt : receipts)
    body["receipts"].push_back({{"step", receipt.step}, {"data", receipt.data}});
  QIAO_TRY(call("POST", group_path(leased.group, "receipts"), body));
  return {};
}

Status Client::nack(const LeasedMessage& leased, std::int64_t delay_ms, bool counts,
                    const std::string& reason) const {
  Json body = lease_json(leased);
  body["delay_ms"] = delay_ms;
  body["counts"] = counts;
  body["reason"] = reason;
  QIAO_TRY(call("POST", group_path(leased.group, "nack"), body));
  return {};
}

Result<std::int64_t> Client::extend(const LeasedMessage& leased, std::int64_t lease_ms) const {
  Json body = lease_json(leased);
  body["lease_ms"] = lease_ms;
  QIAO_ASSIGN(const Json json, call("POST", group_path(leased.group, "extend"), body));
  return json_integer(json, "until_ms").value_or(0);
}

}  // namespace qiao
