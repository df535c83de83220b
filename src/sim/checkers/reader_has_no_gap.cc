// SPDX-License-Identifier: Apache-2.0
#include "broker/state.h"
#include "message/subject.h"
#include "sim/checker.h"
#include "sim/checkers/group_log.h"

namespace qiao::sim {
namespace {

// What a reader of the pattern has to see, up to the last it has seen. What was removed it may
// have seen before.
std::string compare(const Journal& journal, const GroupLog& log, const Journal::Reader& reader) {
  auto seen = reader.received.begin();
  for (const auto& [offset, record] : journal.records) {
    const auto* published = std::get_if<record::Published>(&record);
    if (published == nullptr || offset < reader.from) continue;
    const std::string& subject = published->message.subject;
    if (subject.starts_with(kInboxPrefix) || !matches(reader.pattern, subject)) continue;
    const bool seen_now = seen != reader.received.end() && seen->offset == offset;
    if (!seen_now && log.removed().contains(offset)) continue;
    if (seen == reader.received.end())
      return reader.to_the_end ? "has not read " + std::to_string(offset) : "";
    if (seen->offset != offset) {
      return "read " + std::to_string(seen->offset) + " where " + std::to_string(offset) +
             " was next";
    }
    ++seen;
  }
  return seen == reader.received.end() ? "" : "read past the end of the log or repeated itself";
}

class ReaderHasNoGap final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "reader_has_no_gap"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    const GroupLog log(journal);
    for (const auto& [name, reader] : journal.readers) {
      if (std::string fault = compare(journal, log, reader); !fault.empty())
        broken.push_back(name + " " + fault);
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> reader_has_no_gap() {
  return std::make_unique<ReaderHasNoGap>();
}

}  // namespace qiao::sim
