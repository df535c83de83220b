// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/streams.h"
#include "broker/testing/broker_harness.h"
#include "scenarios/runner/scenario.h"
#include "scenarios/runner/words.h"

namespace qiao::scenario {

inline Error unmet(std::string why) {
  return {Code::kPrecondition, std::move(why)};
}
inline std::string in_quotes(std::string_view text) {
  return '"' + std::string(text) + '"';
}

// One run of one scenario. Made for it, on one thread.
class Run {
 public:
  explicit Run(testing::BrokerHarness::Kind kind) : bus_(kind) {}

  Status run(const Scenario& scenario);

 private:
  using Command = Status (Run::*)(Words&);

  static std::string describe(const Error& error);
  static const std::map<std::string, Command, std::less<>>& commands();
  static const std::map<std::string, Command, std::less<>>& expectations();

  Status step(std::string_view line);

  // What a command did is judged by the next line: an error must be expected.
  template <class T>
  Status judge(const Result<T>& result) {
    if (!result) failed_ = result.error();
    bus_.settle();
    collect();
    return {};
  }

  // -- Commands
  Status group(Words& words);
  Status delete_group(Words& words);
  Status topic(Words& words);
  Status publish(Words& words);
  Status lease(Words& words);
  Status ack(Words& words);
  Status nack(Words& words);
  Status extend(Words& words);
  Status park(Words& words);
  Status wake(Words& words);
  Status join(Words& words);
  Status receipt(Words& words);
  Status letter(Words& words);
  Status clock(Words& words);
  Status commit(Words& words);
  Status cancel(Words& words);
  Status subscribe(Words& words);
  Status unsubscribe(Words& words);
  Status request(Words& words);
  Status reply(Words& words);
  Status advance(Words& words);
  Status crash(Words& words);
  Status stop(Words& words);
  Status reopen(Words& words);
  Status snapshot(Words& words);
  Status disk(Words& words);
  Status expect(Words& words);
  Status begin(Words& words);
  Status write(Words& words);
  Status finish_stream(Words& words);
  Status follow(Words& words);
  Status resume(Words& words);
  Status leave(Words& words);

  // -- Expectations
  Status expect_error(Words& words);
  Status expect_duplicate(Words& words);
  Status expect_offset(Words& words);
  Status expect_delivery(Words& words);
  Status expect_nothing(Words& words);
  Status expect_dead(Words& words);
  Status expect_topic(Words& words);
  Status expect_seen(Words& words);
  Status expect_reply(Words& words);
  Status expect_group(Words& words);
  Status expect_text(Words& words);
  Status expect_joined(Words& words);
  Status expect_ended(Words& words);
  Status expect_parked(Words& words);
  Status expect_receipts(Words& words);
  Status expect_budget(Words& words);

  void take_delivery(Words& words, GroupSpec& spec);
  static Backoff take_backoff(Words& words);
  static void take_budget(Words& words, Budget& budget);
  Park parking(Words& words, Status& status);
  Wake waking(Words& words, Status& status);
  static StepReceipt step_receipt(Words& words);
  Result<std::uint64_t> letter_offset(const std::string& subject, const std::string& text);
  Message message(Words& words);
  LeaseRef lease_of(Words& words, Status& status);
  void collect();
  void forget();
  Streams& streams();
  void forget_streams();
  Result<Streams::WriterId> writer_of(const std::string& stream, Words& words);

  struct Lease {
    std::string group;
    std::shared_ptr<std::optional<Result<std::vector<Delivery>>>> answer;
  };
  using Joined = std::shared_ptr<std::optional<Result<std::vector<StoredMessage>>>>;
  struct Subscriber {
    Broker::SubscriptionId id = 0;
    std::shared_ptr<std::vector<std::string>> seen;
  };

  // A reader of a token stream, over as many connections as it takes.
  struct Follower {
    struct State {
      void take(const StreamEvent& event);
      StreamPlace last;
      std::string text;
      bool ended = false;
    };
    std::string stream;
    std::shared_ptr<State> state;
  };
  void read_on(Follower& follower);

  testing::BrokerHarness bus_;
  int last_line_ = 0;
  std::optional<Error> failed_;                            // by the command before
  Published published_;                                    // by the last publish
  std::vector<Lease> leases_;                              // waiting for an answer
  std::map<std::string, std::deque<Delivery>> delivered_;  // by group, not yet expected
  std::map<std::string, std::map<std::string, std::vector<Delivery>>> known_;  // by group, text
  std::map<std::pair<std::string, std::string>, Joined> joins_;                // by group and text
  std::map<std::string, std::string> reply_to_;                                // by text
  std::map<std::string, Subscriber> subscribers_;
  std::map<std::string, std::shared_ptr<std::optional<Result<Message>>>> requests_;
  std::map<std::string, std::string> request_ids_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Streams> streams_;
  std::map<std::string, std::vector<Streams::WriterId>> writers_;  // by stream, in order
  std::map<std::string, Follower> followers_;
};

}  // namespace qiao::scenario
