// SPDX-License-Identifier: Apache-2.0
#include "flow/replay/script.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <set>

#include "flow/engine.h"
#include "flow/replay/script_file.h"
#include "flow/turn/approval.h"
#include "flow/turn/conversation.h"
#include "log/memory_log.h"
#include "text/language.h"
#include "text/normalise.h"

namespace qiao {
namespace flow {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kModelsWait{120};  // until workers have loaded theirs
constexpr std::int64_t kStopGraceMs = 0;
constexpr std::size_t kShownBytesMax = 600;  // of a reply, in a detail

// The chat model of a scripted run: answers from the script that is played now.
class PlayedModel final : public Model {
 public:
  void play(std::vector<ScriptLine> lines) {
    std::lock_guard lock(mutex_);
    now_ = std::make_shared<ScriptedModel>(std::move(lines));
  }
  [[nodiscard]] ModelInfo info() const override { return now()->info(); }
  RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) override {
    return now()->generate(std::move(request), std::move(on_text), std::move(on_done));
  }
  void cancel(RequestId) override {}  // its answers are there at once
  void embed(std::vector<std::string> texts, OnEmbedded on_done) override {
    now()->embed(std::move(texts), std::move(on_done));
  }
  Result<std::int32_t> count_tokens(std::string_view text) override {
    return now()->count_tokens(text);
  }

 private:
  [[nodiscard]] std::shared_ptr<ScriptedModel> now() const {
    std::lock_guard lock(mutex_);
    return now_;
  }
  mutable std::mutex mutex_;
  std::shared_ptr<ScriptedModel> now_ = std::make_shared<ScriptedModel>(std::vector<ScriptLine>{});
};

std::set<std::string> chat_models(const FlowConfig& config) {
  std::set<std::string> names;
  for (const AgentConfig& agent : config.agents) {
    const bool asks = agent.kind == AgentKind::kModel || agent.kind == AgentKind::kTable;
    if (asks) names.insert(agent.model);
  }
  return names;
}

// The end of one turn as its readers see it.
struct TurnEnd {
  std::string reply;
  Json data;
};

// Collects one turn's stream. Shared with the stream, which may still write after a timeout.
class TurnReader {
 public:
  void take(const StreamEvent& event) {
    std::lock_guard lock(mutex_);
    if (event.kind == StreamEvent::Kind::kText) end_.reply += event.text;
    if (event.kind == StreamEvent::Kind::kReset) end_.reply.clear();
    if (event.kind != StreamEvent::Kind::kEnd) return;
    end_.data = event.data;
    ended_ = true;
    over_.notify_all();
  }
  // An answer that comes without a stream.
  void take_whole(const Message& message) {
    const auto header = [&message](const char* name) {
      const auto found = message.headers.find(name);
      return found == message.headers.end() ? "" : found->second;
    };
    std::lock_guard lock(mutex_);
    end_.reply = message.text();
    end_.data = Json{{"route", header("x-route")}, {"agent", header("x-agent")}};
    ended_ = true;
    over_.notify_all();
  }
  Result<TurnEnd> wait(std::int64_t timeout_ms) {
    std::unique_lock lock(mutex_);
    if (over_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return ended_; })) {
      return end_;
    }
    return Error{Code::kDeadline, "no answer came within " + std::to_string(timeout_ms) + " ms"};
  }

 private:
  std::mutex mutex_;
  std::condition_variable over_;
  TurnEnd end_;
  bool ended_ = false;
};

// A whole server's inside for one flow, in memory. Stopped in the reverse order of its members.
class Stage {
 public:
  Stage() : ids_(clock_, random_seed()), streams_(clock_), loop_("script") {}
  ~Stage() {
    if (engine_) engine_->stop_and_wait(kStopGraceMs);
    if (broker_) broker_->stop();
    loop_.stop();
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Status open(FlowConfig config, ModelSet models, const ScriptOptions& script) {
    models_ = std::move(models);
    input_ = config.input;
    output_ = config.output;
    replies_ = config.replies;
    group_ = "flow." + config.name;
    QIAO_ASSIGN(broker_, Broker::open(log_, loop_, clock_, ids_, metrics_));
    FlowOptions options;
    options.start_tools = script.start_tools;
    FlowServices services{*broker_, streams_, nullptr, models_, loop_, clock_, metrics_};
    services.bundles = script.bundles;
    QIAO_ASSIGN(engine_, FlowEngine::make(std::move(config), services, options));
    std::promise<Status> started;
    engine_->start([&started](Status status) { started.set_value(std::move(status)); });
    return started.get_future().get();
  }

  // A person decides what the conversation waits for; the answer comes on the output.
  Result<TurnEnd> decide(const ScriptTurn& turn, const std::string& conversation,
                         std::int64_t timeout_ms) {
    QIAO_ASSIGN(const ParkedMessage parked, parked_of(conversation));
    const std::string id = parked.reason.substr(std::min(parked.reason.size(), kParkReason.size()));
    Message message = text_message(replies_, turn.note, conversation);
    message.source = "desk/script";
    message.headers[std::string(kApprovalHeader)] = id;
    message.headers[std::string(kDecisionHeader)] = turn.decide;
    message.headers[std::string(kParkedHeader)] = std::to_string(parked.offset);
    const auto reader = std::make_shared<TurnReader>();
    const auto subscription = broker_->subscribe(
        output_, std::nullopt, [reader, conversation](const StoredMessage& stored) {
          if (stored.message.conversation == conversation) reader->take_whole(stored.message);
        });
    broker_->publish({std::move(message)}, [](const Result<std::vector<Published>>&) {});
    Result<TurnEnd> end = reader->wait(timeout_ms);
    broker_->unsubscribe(subscription);
    return end;
  }

  // The message's id is the dice of games: the same script always plays the same game.
  Result<TurnEnd> say(const std::string& text, const std::string& conversation, std::size_t turn,
                      std::int64_t timeout_ms) {
    Message message = text_message(input_, text, conversation);
    message.id = conversation + "-" + std::to_string(turn);
    message.source = "user";
    const auto reader = std::make_shared<TurnReader>();
    QIAO_ASSIGN(
        const auto attached,
        streams_.attach(message.id, {}, {[reader](const auto& event) { reader->take(event); }}));
    const std::string stream = message.id;
    std::promise<Status> published;
    broker_->publish({std::move(message)}, [&published](Result<std::vector<Published>> done) {
      published.set_value(done ? Status{} : Status(done.error()));
    });
    const Status sent = published.get_future().get();
    Result<TurnEnd> end = sent ? reader->wait(timeout_ms) : Result<TurnEnd>(sent.error());
    streams_.detach(stream, attached);
    return end;
  }

 private:
  Result<ParkedMessage> parked_of(const std::string& conversation) {
    std::promise<Result<std::vector<ParkedMessage>>> asked;
    broker_->parked(group_, [&asked](Result<std::vector<ParkedMessage>> parked) {
      asked.set_value(std::move(parked));
    });
    QIAO_ASSIGN(const std::vector<ParkedMessage> parked, asked.get_future().get());
    for (const ParkedMessage& one : parked) {
      if (one.message.conversation == conversation) return one;
    }
    return not_found("nothing waits for a decision");
  }

  SystemClock clock_;
  IdMaker ids_;
  Metrics metrics_;
  MemoryLog log_;
  Streams streams_;
  ModelSet models_;
  LoopThread loop_;
  std::string input_;
  std::string output_;
  std::string replies_;
  std::string group_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<FlowEngine> engine_;
};

bool contains(std::string_view text, std::string_view word) {
  return normalise(text).find(normalise(word)) != std::string::npos;
}

// The faults of one turn, each a sentence.
class Judge {
 public:
  Judge(const ScriptTurn& turn, const TurnEnd& end) : turn_(turn), end_(end) {}

  std::vector<std::string> faults() {
    const Expectation& expect = turn_.expect;
    same("route", expect.route);
    same("agent", expect.agent);
    same("filter", expect.filter);
    same("to", expect.to);
    for (const std::string& tool : expect.tools) called(tool);
    for (const std::string& word : expect.words) {
      if (!contains(end_.reply, word)) fault("\"" + word + "\" is not in the reply");
    }
    for (const std::string& word : expect.not_words) {
      if (contains(end_.reply, word)) fault("\"" + word + "\" is in the reply and must not be");
    }
    if (expect.language) language(*expect.language);
    if (expect.ended && json_bool(end_.data, "ended") != *expect.ended) {
      fault(*expect.ended ? "the conversation should have ended" : "the conversation has ended");
    }
    return std::move(faults_);
  }

 private:
  void same(const char* key, const std::optional<std::string>& wanted) {
    const std::string got = json_string(end_.data, key).value_or("");
    if (wanted && *wanted != got) {
      fault(std::string(key) + " is \"" + got + "\", expected \"" + *wanted + "\"");
    }
  }
  void called(const std::string& tool) {
    const auto tools = end_.data.find("tools");
    const bool there = tools != end_.data.end() && tools->is_array() &&
                       std::find(tools->begin(), tools->end(), Json(tool)) != tools->end();
    if (!there) fault("the tool " + tool + " was not called");
  }
  void language(const std::string& wanted) {
    const auto found = detect_language(end_.reply);
    const std::string got = !found ? "" : *found == Language::kChinese ? "zh" : "en";
    if (got != wanted) fault("the reply's language is \"" + got + "\", expected " + wanted);
  }
  void fault(const std::string& what) {
    faults_.push_back(turn_.where + what + "; said: " + cut_utf8(turn_.say, kShownBytesMax) +
                      "; reply: " + cut_utf8(end_.reply, kShownBytesMax));
  }

  const ScriptTurn& turn_;
  const TurnEnd& end_;
  std::vector<std::string> faults_;
};

// What the script needs and is not here.
std::vector<std::string> missing(const Script& script, const std::set<std::string>& chats,
                                 const ModelSet& models, const ScriptOptions& options) {
  const auto lacks = [&](const std::string& need) {
    if (need == "tools") return !options.start_tools;
    if (need != "model") return !models.contains(need);
    if (options.scripted) return script.lines.empty();
    return !std::all_of(chats.begin(), chats.end(),
                        [&](const std::string& name) { return models.contains(name); });
  };
  std::vector<std::string> missing;
  std::copy_if(script.needs.begin(), script.needs.end(), std::back_inserter(missing), lacks);
  return missing;
}

ScriptOutcome play(Stage& stage, const Script& script, const std::string& conversation,
                   const ScriptOptions& options) {
  ScriptOutcome outcome;
  outcome.name = script.name;
  outcome.file = script.file;
  const auto begin = SteadyClock::now();
  for (std::size_t i = 0; i < script.turns.size(); ++i) {
    const ScriptTurn& turn = script.turns[i];
    const auto end = turn.decide.empty()
                         ? stage.say(turn.say, conversation, i + 1, options.turn_timeout_ms)
                         : stage.decide(turn, conversation, options.turn_timeout_ms);
    if (!end) {
      outcome.details.push_back(turn.where + end.error().message);
      break;  // what follows would be judged by a conversation that went wrong
    }
    for (std::string& fault : Judge(turn, *end).faults()) {
      outcome.details.push_back(std::move(fault));
    }
  }
  outcome.ms = std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count();
  if (!outcome.details.empty()) outcome.verdict = ScriptOutcome::Verdict::kFailed;
  return outcome;
}

ScriptOutcome skipped(const Script& script, const std::vector<std::string>& needs) {
  ScriptOutcome outcome{script.name, script.file, ScriptOutcome::Verdict::kSkipped, {}, 0};
  for (const std::string& need : needs) outcome.details.push_back("it needs " + need);
  return outcome;
}

// Workers load their models after open_model() has returned.
Status wait_until_ready(const ModelSet& models) {
  const auto deadline = SteadyClock::now() + kModelsWait;
  for (const auto& [name, model] : models) {
    while (!model->info().ready) {
      if (SteadyClock::now() > deadline) {
        return unavailable("the model " + name + " is not ready: " + model->info().note);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  return {};
}

}  // namespace
}  // namespace flow

Result<std::vector<ScriptOutcome>> run_scripts(
    const std::string& flow_directory, const ModelSet& models, const ScriptOptions& options,
    const std::function<void(const ScriptOutcome&)>& on_outcome) {
  QIAO_ASSIGN(FlowConfig config, load_flow(flow_directory));
  QIAO_ASSIGN(const auto scripts, flow::load_scripts(flow_directory));
  const std::set<std::string> chats = flow::chat_models(config);
  const auto played = std::make_shared<flow::PlayedModel>();
  ModelSet used = models;
  if (options.scripted) {
    for (const std::string& name : chats) used[name] = played;
  }
  QIAO_TRY(flow::wait_until_ready(used));
  flow::Stage stage;
  QIAO_TRY(stage.open(std::move(config), std::move(used), options));

  std::vector<ScriptOutcome> outcomes;
  for (const flow::Script& script : scripts) {
    const auto lacking = flow::missing(script, chats, models, options);
    played->play(script.lines);
    const std::string conversation = "script-" + std::to_string(outcomes.size() + 1);
    outcomes.push_back(lacking.empty() ? flow::play(stage, script, conversation, options)
                                       : flow::skipped(script, lacking));
    if (on_outcome) on_outcome(outcomes.back());
  }
  return outcomes;
}

}  // namespace qiao
