// SPDX-License-Identifier: Apache-2.0
#include <map>
#include "sim/sim_flow.h"

#include "sim/checker.h"

namespace qiao::sim {
namespace {

// Messages merged into the turn are not counted: a server without a history forgets at a restart
// that they were, and gives them turns of their own.
void count_turn(const record::Event& event, std::map<std::string, int>& turns) {
  if (event.type == "turn") ++turns[event.message_id];
}

class OneTurnPerMessage final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "one_turn_per_message"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::map<std::string, int> turns;    // by the message's id
    std::map<std::string, int> replies;  // of the flow, by the message they answer
    std::map<std::string, bool> asked;
    for (const auto& [offset, record] : journal.records) {
      if (const auto* published = std::get_if<record::Published>(&record)) {
        const Message& message = published->message;
        if (message.subject == kFlowInput) asked[message.id] = journal.acked.contains(message.id);
        if (message.subject == kFlowOutput && message.source == "flow/sim")
          ++replies[message.correlation];
      }
      if (const auto* event = std::get_if<record::Event>(&record)) count_turn(*event, turns);
    }
    std::vector<std::string> broken;
    for (const auto& [id, count] : replies) {
      if (count > 1) broken.push_back(id + " has " + std::to_string(count) + " replies");
      if (!asked.contains(id)) broken.push_back("a reply to " + id + ", which nobody asked");
    }
    for (const auto& [id, count] : turns) {
      if (count > 1) broken.push_back(id + " had " + std::to_string(count) + " turns");
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> one_turn_per_message() {
  return std::make_unique<OneTurnPerMessage>();
}

}  // namespace qiao::sim
