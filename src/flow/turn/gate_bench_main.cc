// SPDX-License-Identifier: Apache-2.0
// What the turn gate is worth: bursts of messages through a flow in virtual time, once for each
// setting of `turn:`. bench/gate.py makes the bursts and runs it:
//   qiao_gate_bench BURSTS.jsonl NAME="{ settle: 1s }" …     (NAME ending in +typing: typed)
// A line of the file is { "fragments": [ "…", … ], "pauses_ms": [ … ] }; a pause stands before each
// fragment but the first, and the user types during it. One JSON object a setting.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <numeric>

#include "base/testing/manual_executor.h"
#include "flow/engine.h"
#include "log/memory_log.h"
#include "model/catalogue/catalogue.h"

namespace qiao {
namespace {

constexpr std::int64_t kQuietMs = 30'000;       // after a burst: whatever waited has been answered
constexpr std::int64_t kTypingEveryMs = 1'500;  // as the page at / does
constexpr std::int64_t kTypingForMs = 4'000;

struct Burst {
  std::vector<std::string> fragments;
  std::vector<std::int64_t> pauses_ms;
};

// Answers inside the call: time stands still while the encoder works.
class PatientEncoder final : public Model {
 public:
  explicit PatientEncoder(std::shared_ptr<Model> encoder) : encoder_(std::move(encoder)) {}
  [[nodiscard]] ModelInfo info() const override { return encoder_->info(); }
  RequestId generate(GenerateRequest, OnText, OnGenerated done) override {
    done(internal("an encoder does not generate"));
    return 0;
  }
  void cancel(RequestId) override {}
  Result<std::int32_t> count_tokens(std::string_view text) override {
    return encoder_->count_tokens(text);
  }
  void embed(std::vector<std::string> texts, OnEmbedded done) override {
    done(embed_and_wait(*encoder_, std::move(texts)));
  }

 private:
  std::shared_ptr<Model> encoder_;
};

Result<std::vector<Burst>> read_bursts(const std::string& path) {
  std::ifstream file(path);
  if (!file) return not_found(path + " cannot be read");
  std::vector<Burst> bursts;
  for (std::string line; std::getline(file, line);) {
    QIAO_ASSIGN(const Json json, parse_json(line));
    Burst burst;
    for (const Json& text : json.value("fragments", Json::array()))
      burst.fragments.push_back(text.get<std::string>());
    for (const Json& pause : json.value("pauses_ms", Json::array()))
      burst.pauses_ms.push_back(pause.get<std::int64_t>());
    if (burst.fragments.empty() || burst.pauses_ms.size() + 1 != burst.fragments.size())
      return invalid_argument(path + ": a pause must stand between two fragments: " + line);
    bursts.push_back(std::move(burst));
  }
  return bursts;
}

Result<ModelSet> open_encoders(const Clock& clock, Metrics& metrics) {
  ModelSet models;
  for (const auto& [name, installed] :
       {std::pair{"encoder-zh", "bge-small-zh"}, std::pair{"encoder-en", "minilm-l6"}}) {
    ModelOptions options;
    options.name = name;
    options.engine = "in-process";
    options.encoder = true;
    options.path = default_models_directory() + "/" + installed + "/model.gguf";
    QIAO_ASSIGN(auto encoder, open_model(options, clock, metrics));
    models[name] = std::make_shared<PatientEncoder>(std::move(encoder));
  }
  return models;
}

// One flow that says "ok" to every turn, and when it said so.
class Bench {
 public:
  Bench(const ModelSet& models, bool types) : models_(models), types_(types) {}

  Status start(const std::string& turn) {
    const auto folder = std::filesystem::temp_directory_path() / "qiao-gate-bench";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "flow.yaml")
        << "flow: f\nturn: " << turn
        << "\nroutes: [ { name: all, otherwise: true, to: agent.ok } ]\n"
        << "agents: { ok: { kind: template, template: ok } }\n";
    QIAO_ASSIGN(FlowConfig config, load_flow(folder.string()));
    QIAO_ASSIGN(broker_, Broker::open(log_, loop_, clock_, ids_, metrics_));
    FlowServices services{*broker_, streams_, nullptr, models_, loop_, clock_, metrics_};
    QIAO_ASSIGN(engine_, FlowEngine::make(std::move(config), services));
    broker_->subscribe("f.out", std::nullopt,
                       [this](const StoredMessage&) { replied_ms_.push_back(clock_.wall_ms()); });
    engine_->start([](const Status&) {});
    loop_.run();
    return {};
  }

  void play(const Burst& burst) {
    const std::string conversation = "c" + std::to_string(++conversations_);
    const std::size_t before = replied_ms_.size();
    for (std::size_t i = 0; i < burst.fragments.size(); ++i) {
      if (i > 0) type(conversation, burst.pauses_ms[i - 1]);
      broker_->publish({text_message("f.in", burst.fragments[i], conversation)},
                       [](const auto&) {});
      loop_.run();
    }
    const std::int64_t last_ms = clock_.wall_ms();
    loop_.advance_ms(kQuietMs);
    const std::size_t turns = replied_ms_.size() - before;
    messages_ += burst.fragments.size();
    turns_ += turns;
    if (burst.fragments.size() > 1) {
      ++bursts_;
      whole_ += turns == 1 ? 1 : 0;
      if (turns < burst.fragments.size()) merged_ += burst.fragments.size() - turns + 1;
    }
    if (turns > 0) delays_ms_.push_back(replied_ms_.back() - last_ms);
  }

  Json result() {
    std::sort(delays_ms_.begin(), delays_ms_.end());
    const auto at = [this](double share) {
      return delays_ms_[static_cast<std::size_t>(share *
                                                 static_cast<double>(delays_ms_.size() - 1))];
    };
    return Json{{"messages", messages_},
                {"bursts", bursts_},
                {"bursts_answered_once", whole_},
                {"fragments_merged", merged_},
                {"replies_saved", messages_ - turns_},
                {"delay_ms_mean", std::accumulate(delays_ms_.begin(), delays_ms_.end(), 0LL) /
                                      static_cast<std::int64_t>(delays_ms_.size())},
                {"delay_ms_p50", at(0.5)},
                {"delay_ms_p95", at(0.95)}};
  }

 private:
  void type(const std::string& conversation, std::int64_t pause_ms) {
    for (std::int64_t left_ms = pause_ms; left_ms > 0; left_ms -= kTypingEveryMs) {
      if (types_) engine_->typing(conversation, kTypingForMs);
      loop_.advance_ms(std::min(left_ms, kTypingEveryMs));
    }
  }

  const ModelSet& models_;
  const bool types_;
  testing::ManualClock clock_;
  testing::ManualExecutor loop_{clock_};
  IdMaker ids_{clock_, 1};
  Metrics metrics_;
  MemoryLog log_;
  Streams streams_{clock_};
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<FlowEngine> engine_;
  std::vector<std::int64_t> replied_ms_;
  std::vector<std::int64_t> delays_ms_;  // from the last message of a burst to its answer
  std::size_t conversations_ = 0, messages_ = 0, turns_ = 0, bursts_ = 0, whole_ = 0, merged_ = 0;
};

Status run(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) return invalid_argument("see the head of gate_bench_main.cc");
  QIAO_ASSIGN(const std::vector<Burst> bursts, read_bursts(arguments[0]));
  SystemClock clock;
  Metrics metrics;
  QIAO_ASSIGN(const ModelSet models, open_encoders(clock, metrics));
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::size_t equals = arguments[i].find('=');
    if (equals == std::string::npos) return invalid_argument(arguments[i] + " is not NAME={…}");
    const std::string name = arguments[i].substr(0, equals);
    Bench bench(models, name.ends_with("+typing"));
    QIAO_TRY(bench.start(arguments[i].substr(equals + 1)));
    for (const Burst& burst : bursts) bench.play(burst);
    Json line{{"setting", name}, {"turn", arguments[i].substr(equals + 1)}};
    line.update(bench.result());
    std::cout << dump_json(line) << '\n';
  }
  return {};
}

}  // namespace
}  // namespace qiao

int main(int argc, char** argv) {
  const auto done = qiao::run({argv + 1, argv + argc});
  if (done) return 0;
  std::cerr << "qiao_gate_bench: " << done.error().message << '\n';
  return 1;
}
