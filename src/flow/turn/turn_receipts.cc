// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/turn_receipts.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/digest.h"
#include "base/logging.h"
#include "flow/loop.h"

namespace qiao::flow {
namespace {

// Past a bound the turn does without; anything else says that its lease or the log is gone.
bool is_bound(Code code) {
  return code == Code::kInvalidArgument || code == Code::kPrecondition || code == Code::kOverloaded;
}

Json with_question(std::string_view asked, Json data) {
  data["asked"] = asked;
  return data;
}

std::optional<Json> decision_of(const Delivery& delivery) {
  for (const StepReceipt& receipt : delivery.receipts) {
    if (receipt.step != kDecisionStep) continue;
    Result<Json> data = parse_json(receipt.data);
    return data && data->is_object() ? std::optional(std::move(*data)) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> began_ms(const Delivery& delivery) {
  const auto decision = decision_of(delivery);
  return decision ? json_integer(*decision, "now_ms") : std::nullopt;
}

std::optional<std::set<std::string>> began_with(const Delivery& delivery) {
  const auto decision = decision_of(delivery);
  if (!decision || !decision->contains("merged")) return std::nullopt;
  return ids_in((*decision)["merged"]);
}

std::set<std::string> ids_in(const Json& list) {
  std::set<std::string> ids;
  for (const Json& id : list) {
    if (id.is_string()) ids.insert(id.get<std::string>());
  }
  return ids;
}

std::string digest_of(const Json& question) {
  constexpr std::size_t kHexDigits = 16;
  return sha256_hex(dump_json(question)).substr(0, kHexDigits);
}

TurnReceipts::TurnReceipts(Broker& broker, Executor& executor, const Delivery& delivery,
                           bool recorded)
    : broker_(broker), executor_(executor), lease_(lease_of(delivery)), recorded_(recorded) {
  for (const StepReceipt& receipt : delivery.receipts) {
    Result<Json> data = parse_json(receipt.data);
    if (data && data->is_object()) earlier_[receipt.step] = std::move(*data);
  }
}

std::string TurnReceipts::next(std::string_view kind) {
  const auto count = counts_.try_emplace(std::string(kind), 0).first;
  return std::string(kind) + "." + std::to_string(++count->second);
}

bool TurnReceipts::has_later(std::string_view kind) const {
  const auto count = counts_.find(kind);
  const int reached = count == counts_.end() ? 0 : count->second;
  const std::string prefix = std::string(kind) + ".";
  return std::any_of(earlier_.begin(), earlier_.end(), [&](const auto& step) {
    return step.first.starts_with(prefix) &&
           std::atoi(step.first.c_str() + prefix.size()) > reached;
  });
}

const Json* TurnReceipts::taken(const std::string& step) const {
  const auto found = earlier_.find(step);
  if (found == earlier_.end()) return nullptr;
  if (!recorded_ && found->second.contains("error")) return nullptr;
  return &found->second;
}

const Json* TurnReceipts::taken(const std::string& step, std::string_view asked) const {
  const Json* found = taken(step);
  return found != nullptr && json_string(*found, "asked") == asked ? found : nullptr;
}

void TurnReceipts::store(const std::string& step, std::string_view asked, Json data) {
  if (recorded_) return;
  if (data.contains("error")) return keep(step, asked, std::move(data));
  send(step, dump_json(with_question(asked, std::move(data))));
}

void TurnReceipts::send(const std::string& step, std::string bytes) {
  if (stored_ >= kReceiptsMax) return;
  ++stored_;
  ++in_flight_;
  broker_.store_receipts(
      lease_, {{step, std::move(bytes)}},
      on_loop(executor_, shared_from_this(),
              [step](TurnReceipts& self, const Status& status) { self.stored(step, status); }));
}

void TurnReceipts::stored(const std::string& step, const Status& status) {
  --in_flight_;
  if (!status && !is_bound(status.error().code) && !std::exchange(is_lost_, true)) {
    if (lost_) lost_();
    return;
  }
  if (!status && !is_lost_)
    log_warn("flow", "the step " + step + " has no receipt: " + status.error().message);
  if (in_flight_ > 0 || is_lost_ || !then_) return;
  std::exchange(then_, {})();
}

void TurnReceipts::keep(const std::string& step, std::string_view asked, Json data) {
  if (recorded_) return;
  std::string bytes = dump_json(with_question(asked, std::move(data)));
  const bool has_room = kept_.size() < kKeptMax || kept_.contains(step);
  if (bytes.size() > kKeptBytesMax || !has_room) return send(step, std::move(bytes));
  kept_[step] = std::move(bytes);
}

void TurnReceipts::store_kept(const std::string& step) {
  if (auto kept = kept_.extract(step)) send(step, std::move(kept.mapped()));
}

void TurnReceipts::when_durable(std::function<void()> then) {
  if (is_lost_) return;
  if (in_flight_ == 0) return then();
  then_ = std::move(then);
}

std::vector<LeaseReceipt> TurnReceipts::for_commit() const {
  std::vector<LeaseReceipt> receipts;
  for (const auto& [step, data] : kept_) receipts.push_back({lease_, {step, data}});
  return receipts;
}

}  // namespace qiao::flow
