// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "sim/checker.h"
#include "sim/checkers/group_log.h"

namespace qiao::sim {
namespace {

// The rule of a class of error, or what the group says of all.
RetryRule rule_of(const GroupSpec& spec, const std::string& error) {
  for (const RetryRule& rule : spec.rules) {
    if (rule.error == error) return rule;
  }
  if (error == kSpentError) return {error, 1, {}};
  return {"", spec.attempts_max, spec.backoff};
}

// Goes through the log and counts by itself.
class Count {
 public:
  explicit Count(const GroupLog& log) : log_(log) {}

  void add(const Record& record) {
    if (const auto* r = std::get_if<record::Leased>(&record)) leased(*r);
    if (const auto* r = std::get_if<record::Parked>(&record)) --attempts_[{r->group, r->offset}];
    if (const auto* r = std::get_if<record::Expired>(&record))
      failed(r->group, r->offset, std::string(kExpiredError));
    if (const auto* r = std::get_if<record::Nacked>(&record)) nacked(*r);
    if (const auto* r = std::get_if<record::Published>(&record)) letter(r->message);
  }
  std::vector<std::string> broken;

 private:
  void leased(const record::Leased& r) {
    std::uint32_t& attempts = attempts_[{r.group, r.offset}];
    if (r.attempt != ++attempts)
      broken.push_back(shown(r.group, r.offset) + " was handed out as attempt " +
                       std::to_string(r.attempt) + ", it was " + std::to_string(attempts));
  }
  void nacked(const record::Nacked& r) {
    std::uint32_t& attempts = attempts_[{r.group, r.offset}];
    if (!r.counts) {
      --attempts;
      return;
    }
    failed(r.group, r.offset, r.error);
    const GroupSpec* spec = log_.spec(r.group);
    if (spec == nullptr || r.error.empty()) return;  // the consumer's own wait
    std::int64_t most = rule_of(*spec, r.error).backoff.first_ms;
    const std::int64_t max_ms = rule_of(*spec, r.error).backoff.max_ms;
    for (std::uint32_t k = 1; k < attempts && most < max_ms; ++k) most *= 2;
    most = std::min(most, max_ms);
    const std::int64_t wait = r.retry_at_ms == 0 ? 0 : r.retry_at_ms - r.time_ms;
    if (wait > most || wait < most / 2)
      broken.push_back(shown(r.group, r.offset) + " waits " + std::to_string(wait) +
                       " ms where its rule says up to " + std::to_string(most));
  }
  void failed(const std::string& group, std::uint64_t offset, const std::string& error) {
    const GroupSpec* spec = log_.spec(group);
    if (spec == nullptr) return;
    const auto most = static_cast<std::uint32_t>(rule_of(*spec, error).attempts_max);
    if (attempts_[{group, offset}] >= most)
      broken.push_back(shown(group, offset) + " failed for the last time and is tried again");
  }
  // Those of followers have the attempts of the message they followed.
  void letter(const Message& message) {
    const auto group = message.headers.find("x-dead-group");
    const auto offset = message.headers.find("x-dead-offset");
    if (group == message.headers.end() || offset == message.headers.end()) return;
    const GroupSpec* spec = log_.spec(group->second);
    const auto known = attempts_.find({group->second, std::stoull(offset->second)});
    if (spec == nullptr || known == attempts_.end()) return;
    const auto error = message.headers.find("x-dead-error");
    const auto most = static_cast<std::uint32_t>(
        rule_of(*spec, error == message.headers.end() ? "" : error->second).attempts_max);
    if (known->second < most ||
        message.headers.at("x-dead-attempts") != std::to_string(known->second))
      broken.push_back(shown(group->second, known->first.second) + " was given up after " +
                       std::to_string(known->second) + " of " + std::to_string(most) + " attempts");
  }

  const GroupLog& log_;
  std::map<GroupOffset, std::uint32_t> attempts_;
};

class RetriesFollowRules final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "retries_follow_rules"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    const GroupLog log(journal);
    Count count(log);
    for (const auto& [offset, record] : journal.records) count.add(record);
    return count.broken;
  }
};

}  // namespace

std::unique_ptr<Checker> retries_follow_rules() {
  return std::make_unique<RetriesFollowRules>();
}

}  // namespace qiao::sim
