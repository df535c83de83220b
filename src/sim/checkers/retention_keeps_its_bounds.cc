// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>

#include "broker/facts.h"
#include "broker/state.h"
#include "broker/topic_specs.h"
#include "message/subject.h"
#include "sim/checker.h"
#include "sim/checkers/group_log.h"

namespace qiao::sim {
namespace {

struct Listed {
  std::int64_t time_ms = 0;
  std::uint64_t bytes = 0;
  std::string key;
};
using Topic = std::map<std::uint64_t, Listed>;  // what is kept of it, by offset

// Which messages of a topic are past the bounds of its settings at a time: always its oldest.
std::set<std::uint64_t> past_bounds(const Topic& topic, const TopicSpec& spec,
                                    std::int64_t now_ms) {
  std::uint64_t count = topic.size();
  std::uint64_t bytes = 0;
  for (const auto& [offset, listed] : topic) bytes += listed.bytes;
  std::set<std::uint64_t> past;
  for (const auto& [offset, listed] : topic) {
    const bool many = spec.retain_messages != 0 && count > spec.retain_messages;
    const bool large = spec.retain_bytes != 0 && bytes > spec.retain_bytes;
    const bool old = spec.retain_ms != 0 && listed.time_ms + spec.retain_ms <= now_ms;
    if (!many && !large && !old) break;
    past.insert(offset);
    --count;
    bytes -= listed.bytes;
  }
  return past;
}

// Those with a newer one of their key.
std::set<std::uint64_t> replaced(const Topic& topic) {
  std::set<std::string> newer;
  std::set<std::uint64_t> out;
  for (auto one = topic.rbegin(); one != topic.rend(); ++one) {
    if (!one->second.key.empty() && !newer.insert(one->second.key).second) out.insert(one->first);
  }
  return out;
}

// Goes through the log and keeps by itself what the settings say.
class Topics {
 public:
  explicit Topics(const GroupLog& log) : log_(log) {}

  void add(std::uint64_t offset, const Record& record) {
    if (const auto* r = std::get_if<record::TopicSet>(&record)) {
      r->erased ? specs_.erase(r->spec.pattern) : specs_.set(r->spec);
    }
    if (const auto* r = std::get_if<record::Published>(&record)) published(offset, r->message);
    if (const auto* r = std::get_if<record::GroupCreated>(&record)) made_.insert(r->spec.name);
    if (const auto* r = std::get_if<record::Joined>(&record))
      joined_[{r->group, r->offset}].insert(r->followers.begin(), r->followers.end());
    if (const auto* r = std::get_if<record::Acked>(&record)) {
      ended_.insert({r->group, r->offset});
      for (const std::uint64_t one : joined_[{r->group, r->offset}]) ended_.insert({r->group, one});
    }
    if (const auto* r = std::get_if<record::Removed>(&record)) removed(*r);
  }
  // With nothing open any more, bounds hold to the letter. Age goes by a clock that is not known.
  void check_end() {
    for (auto& [subject, topic] : topics_) {
      TopicSpec spec = spec_of(subject);
      spec.retain_ms = 0;
      std::set<std::uint64_t> over = past_bounds(topic, spec, 0);
      if (spec.compact) over.merge(replaced(topic));
      for (const std::uint64_t offset : over) {
        if (!is_held(subject, offset, spec))
          broken.push_back(std::to_string(offset) + " of " + subject + " is kept past its bounds");
      }
    }
  }
  void check_kept(const std::vector<std::uint64_t>& listed) {
    std::set<std::uint64_t> kept;
    for (const auto& [subject, topic] : topics_) {
      for (const auto& [offset, one] : topic) kept.insert(offset);
    }
    for (const std::uint64_t offset : listed) {
      if (kept.erase(offset) == 0)
        broken.push_back(std::to_string(offset) + " was removed, or never there, and is read");
    }
    for (const std::uint64_t offset : kept)
      broken.push_back(std::to_string(offset) + " was not removed and is not read");
  }
  std::vector<std::string> broken;

 private:
  void published(std::uint64_t offset, const Message& message) {
    if (message.subject.starts_with(kInboxPrefix)) return;
    topics_[message.subject][offset] = {message.time_ms, broker::bytes_of(message), message.key};
  }
  [[nodiscard]] TopicSpec spec_of(const std::string& subject) const {
    const TopicSpec* spec = specs_.find(subject);
    return spec == nullptr ? TopicSpec{} : *spec;
  }
  [[nodiscard]] bool is_held(const std::string& subject, std::uint64_t offset,
                             const TopicSpec& spec) const {
    if (spec.drop_unacked) return false;
    const Message& message = *log_.message(offset);
    for (const auto& [name, group] : log_.groups()) {
      const bool gets = made_.contains(name) && matches(group.spec.pattern, subject) &&
                        log_.gets(group, offset, message);
      if (gets && !ended_.contains({name, offset}) && !dropped_.contains(offset)) return true;
    }
    return false;
  }
  void removed(const record::Removed& r) {
    const bool ours = r.reason == "retention" || r.reason == "compaction";
    Topic& topic = topics_[r.topic];
    if (ours) check(r, topic);
    for (const std::uint64_t offset : r.offsets) {
      topic.erase(offset);
      dropped_.insert(offset);
    }
  }
  void check(const record::Removed& r, const Topic& topic) {
    const TopicSpec spec = spec_of(r.topic);
    const bool compaction = r.reason == "compaction";
    const std::set<std::uint64_t> over = !compaction    ? past_bounds(topic, spec, r.time_ms)
                                         : spec.compact ? replaced(topic)
                                                        : std::set<std::uint64_t>{};
    const std::set<std::uint64_t> gone(r.offsets.begin(), r.offsets.end());
    for (const std::uint64_t offset : gone) {
      if (!topic.contains(offset))
        broken.push_back(std::to_string(offset) + " of " + r.topic + " was removed twice");
      else if (!over.contains(offset))
        broken.push_back(std::to_string(offset) + " of " + r.topic + " was inside the bounds");
      else if (is_held(r.topic, offset, spec))
        broken.push_back(std::to_string(offset) + " of " + r.topic + " was removed, and is open");
    }
    for (const std::uint64_t offset : over) {
      if (offset < *gone.rbegin() && !gone.contains(offset) && !is_held(r.topic, offset, spec))
        broken.push_back(std::to_string(offset) + " of " + r.topic + " was passed over");
    }
  }

  const GroupLog& log_;
  broker::TopicSpecs specs_;
  std::map<std::string, Topic> topics_;
  std::set<std::string> made_;
  std::map<GroupOffset, std::set<std::uint64_t>> joined_;
  std::set<GroupOffset> ended_;
  std::set<std::uint64_t> dropped_;
};

class RetentionKeepsItsBounds final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "retention_keeps_its_bounds"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    const GroupLog log(journal);
    Topics topics(log);
    for (const auto& [offset, record] : journal.records) {
      if (journal.kept && offset == journal.kept->next) topics.check_kept(journal.kept->offsets);
      topics.add(offset, record);
    }
    if (journal.kept && journal.kept->next == journal.records.size())
      topics.check_kept(journal.kept->offsets);
    topics.check_end();
    return topics.broken;
  }
};

}  // namespace

std::unique_ptr<Checker> retention_keeps_its_bounds() {
  return std::make_unique<RetentionKeepsItsBounds>();
}

}  // namespace qiao::sim
