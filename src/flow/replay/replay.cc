// SPDX-License-Identifier: Apache-2.0
#include "flow/replay/replay.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>

#include "base/random.h"
#include "flow/engine.h"
#include "log/memory_log.h"

namespace qiao {
namespace flow {
namespace {

constexpr std::int64_t kStopGraceMs = 0;
constexpr std::chrono::milliseconds kStopLookMs{50};

// The time of the record for what reads a calendar, the machine's for what measures.
class RecordedClock final : public Clock {
 public:
  void set(std::int64_t wall_ms) { wall_ms_ = wall_ms; }
  [[nodiscard]] std::int64_t wall_ms() const override { return wall_ms_; }
  [[nodiscard]] std::int64_t steady_us() const override { return machine_.steady_us(); }

 private:
  const SystemClock machine_;
  std::atomic<std::int64_t> wall_ms_{0};
};

// Waits for the end of one turn's stream. Shared with the stream, which may write after a timeout.
class TurnEnd {
 public:
  void take(const StreamEvent& event) {
    if (event.kind != StreamEvent::Kind::kEnd) return;
    std::lock_guard lock(mutex_);
    ended_ = true;
    over_.notify_all();
  }
  Status wait(std::int64_t timeout_ms, const std::stop_token& stop) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    std::unique_lock lock(mutex_);
    while (!over_.wait_for(lock, kStopLookMs, [this] { return ended_; })) {
      if (stop.stop_requested()) return Error{Code::kCancelled, "the replay was stopped"};
      if (std::chrono::steady_clock::now() > end)
        return Error{Code::kDeadline, "a turn took more than " + std::to_string(timeout_ms) +
                                          " ms; the replay was given up"};
    }
    return {};
  }

 private:
  std::mutex mutex_;
  std::condition_variable over_;
  bool ended_ = false;
};

// What of the receipts a live replay goes by: tools have effects, so they answer from the record.
std::vector<StepReceipt> receipts_for(const RecordedTurn& turn, bool live) {
  std::vector<StepReceipt> receipts = turn.receipts;
  if (live) {
    std::erase_if(receipts,
                  [](const StepReceipt& receipt) { return !receipt.step.starts_with("tool:"); });
  }
  return receipts;
}

// A broker and an engine in memory. Stopped in the reverse order of its members.
class Stage {
 public:
  Stage() : ids_(clock_, random_seed()), streams_(clock_), loop_("replay") {}
  ~Stage() {
    if (engine_) engine_->stop_and_wait(kStopGraceMs);
    if (broker_) broker_->stop();
    loop_.stop();
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Status open(const FlowConfig& config, const RecordedTurn& first, const ReplayOptions& options) {
    output_ = config.output;
    live_ = options.live;
    if (live_) models_ = options.models;
    clock_.set(first.began_ms);
    QIAO_ASSIGN(broker_, Broker::open(log_, loop_, clock_, ids_, metrics_));
    FlowOptions engine;
    engine.start_tools = false;
    engine.recorded = !live_;
    engine.attempts_max = 1;  // it is answered now or not at all
    FlowServices services{*broker_, streams_, nullptr, models_, loop_, clock_, metrics_};
    services.fetch = [](const FetchRequest&, const std::stop_token&) -> Result<FetchResponse> {
      return Error{Code::kPermission, "a replay calls no tool; the record has no such call"};
    };
    services.bundles = options.bundles;
    services.recall = [this](Delivery& delivery) { return recall(delivery); };
    QIAO_ASSIGN(engine_, FlowEngine::make(config, std::move(services), engine));
    std::promise<Status> started;
    engine_->start([&started](Status status) { started.set_value(std::move(status)); });
    return started.get_future().get();
  }

  // Runs it; what it published and noted stands in the log from the returned offset on.
  Result<std::uint64_t> run(const RecordedTurn& turn, const ReplayOptions& options) {
    clock_.set(turn.began_ms);
    {
      std::lock_guard lock(mutex_);
      turn_ = &turn;
    }
    const std::uint64_t begin = log_.bounds().next;
    const auto end = std::make_shared<TurnEnd>();
    const std::string id = turn.question.message.id;
    QIAO_ASSIGN(const auto attached,
                streams_.attach(id, {}, {[end](const StreamEvent& event) { end->take(event); }}));
    Message message = turn.question.message;
    message.deliver_at_ms = 0;
    std::promise<Status> published;
    broker_->publish({std::move(message)}, [&published](Result<std::vector<Published>> done) {
      published.set_value(done ? Status{} : Status(done.error()));
    });
    Status ended = published.get_future().get();
    if (ended) ended = end->wait(options.turn_timeout_ms, options.stop);
    streams_.detach(id, attached);
    QIAO_TRY(ended);
    return begin;
  }
  Result<std::vector<LogEntry>> records(std::uint64_t from) {
    return log_.read(from, SIZE_MAX, SIZE_MAX);
  }
  [[nodiscard]] const std::string& output() const { return output_; }

 private:
  // On the loop. The turn as it was: followers, receipts, conversation.
  std::shared_ptr<Conversation> recall(Delivery& delivery) {
    std::lock_guard lock(mutex_);
    delivery.followers = turn_->followers;
    delivery.receipts = receipts_for(*turn_, live_);
    return std::make_shared<Conversation>(*turn_->before);
  }

  RecordedClock clock_;
  IdMaker ids_;
  Metrics metrics_;
  MemoryLog log_;
  Streams streams_;
  ModelSet models_;
  LoopThread loop_;
  std::string output_;
  bool live_ = false;
  std::mutex mutex_;  // guards the one below
  const RecordedTurn* turn_ = nullptr;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<FlowEngine> engine_;
};

// All of a reply but when it was stored.
Json reply_json(const std::optional<Message>& reply) {
  if (!reply) return nullptr;
  Json json = to_json(*reply);
  json.erase("time_ms");
  return json;
}

std::optional<ReplayedTurn::Difference> first_difference(const Json& then, const Json& now) {
  if (dump_json(then) == dump_json(now)) return std::nullopt;
  const Json changes = Json::diff(then, now);
  const std::string at = changes.empty() ? "" : json_string(changes.front(), "path").value_or("");
  const auto value_at = [&at](const Json& json) {
    const Json::json_pointer place(at);
    return json.contains(place) ? dump_json(json.at(place)) : std::string("nothing");
  };
  return ReplayedTurn::Difference{at, value_at(then), value_at(now)};
}

ReplayedTurn compared(const RecordedTurn& turn, const std::vector<LogEntry>& entries,
                      const std::string& output) {
  ReplayedTurn replayed;
  replayed.message_id = turn.question.message.id;
  replayed.question = turn.question.message.text();
  replayed.decision_then = turn.decision;
  if (turn.reply) replayed.reply_then = turn.reply->text();
  std::optional<Message> reply;
  std::string missing;
  for (const LogEntry& entry : entries) {
    const Result<Record> record = decode_record(entry.record);
    if (!record) continue;
    if (const auto* published = std::get_if<record::Published>(&*record)) {
      const Message& message = published->message;
      if (message.subject == output && message.correlation == replayed.message_id) reply = message;
    }
    if (const auto* event = std::get_if<record::Event>(&*record)) {
      if (event->type == "decision") replayed.decision_now = event->data;
      if (event->type == "replay") missing = json_string(event->data, "missing").value_or("");
    }
  }
  if (reply) replayed.reply_now = reply->text();
  const Json then{{"reply", reply_json(turn.reply)}, {"decision", turn.decision}};
  const Json now{{"reply", reply_json(reply)}, {"decision", replayed.decision_now}};
  replayed.difference = first_difference(then, now);
  if (!missing.empty())
    replayed.difference = ReplayedTurn::Difference{"/" + missing, "not recorded", "asked for"};
  return replayed;
}

}  // namespace
}  // namespace flow

Result<std::vector<ReplayedTurn>> replay_turns(
    const FlowConfig& config, const std::vector<RecordedTurn>& turns, const ReplayOptions& options,
    const std::function<void(const ReplayedTurn&)>& on_turn) {
  std::vector<ReplayedTurn> replayed;
  if (turns.empty()) return replayed;
  flow::Stage stage;
  QIAO_TRY(stage.open(config, turns.front(), options));
  for (const RecordedTurn& turn : turns) {
    QIAO_ASSIGN(const std::uint64_t begin, stage.run(turn, options));
    QIAO_ASSIGN(const std::vector<LogEntry> entries, stage.records(begin));
    replayed.push_back(flow::compared(turn, entries, stage.output()));
    if (on_turn) on_turn(replayed.back());
  }
  return replayed;
}

}  // namespace qiao
