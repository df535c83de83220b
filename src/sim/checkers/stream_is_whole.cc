// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <utility>

#include "sim/checker.h"

namespace qiao::sim {
namespace {

class StreamIsWhole final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "stream_is_whole"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    std::map<std::string, std::string> replies;
    for (const auto& [offset, record] : journal.records) {
      if (const auto* published = std::get_if<record::Published>(&record))
        replies.emplace(published->message.id, published->message.text());
    }
    std::map<std::pair<std::string, std::string>, std::uint32_t> attempts;
    for (const StreamSeen& seen : journal.streams) {
      std::uint32_t& newest = attempts[{seen.reader, seen.message_id}];
      if (seen.attempt <= newest && newest != 0) {
        broken.push_back("the stream of " + seen.message_id + " went back to attempt " +
                         std::to_string(seen.attempt));
      }
      newest = std::max(newest, seen.attempt);
      // Who follows from the first attempt on does not see the reset that opens it, at 0.
      std::uint64_t next = !seen.offsets.empty() && seen.offsets.front() == 1 ? 1 : 0;
      for (const std::uint64_t offset : seen.offsets) {
        if (offset == next++) continue;
        broken.push_back("the stream of " + seen.message_id + " showed " + std::to_string(offset) +
                         " where " + std::to_string(next - 1) + " was next");
        break;
      }
      if (!seen.ended || seen.reply.empty()) continue;
      const auto reply = replies.find(seen.reply);
      if (reply == replies.end()) {
        broken.push_back("the stream of " + seen.message_id + " ended with a reply that is lost");
      } else if (reply->second != seen.text) {
        broken.push_back("the stream of " + seen.message_id + " showed '" + seen.text +
                         "', the reply is '" + reply->second + "'");
      }
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> stream_is_whole() {
  return std::make_unique<StreamIsWhole>();
}

}  // namespace qiao::sim
