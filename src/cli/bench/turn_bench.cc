// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/turn_bench.h"

#include <fstream>
#include <map>
#include <mutex>
#include <utility>

#include "base/scratch_folder.h"
#include "broker/streams.h"
#include "cli/bench/bench_load.h"
#include "cli/bench/bench_rig.h"
#include "flow/engine.h"
#include "model/scripted_model.h"

namespace qiao::cli {
namespace {

constexpr const char* kFlow = R"(flow: bench
input: bench.in
output: bench.out
routes:
  - { name: order, when: { entity: order_number }, to: agent.orders }
  - { name: else, otherwise: true, to: agent.orders }
agents:
  orders: { model: chat, prompt: prompt.md, filter: [ length ] }
fallback: { text: "no answer" }
)";
constexpr const char* kPrompt = "Answer in one sentence.";
constexpr const char* kQuestion = "where is my order QX20260106?";
constexpr std::int64_t kStopGraceMs = 5'000;

// A folder with the flow's files, removed with the object.
class FlowFiles {
 public:
  FlowFiles() {
    std::filesystem::create_directories(path());
    std::ofstream(path() + "/flow.yaml") << kFlow;
    std::ofstream(path() + "/prompt.md") << kPrompt;
  }
  [[nodiscard]] const std::string& path() const { return folder_.path(); }

 private:
  ScratchFolder folder_;
};

// Who waits for the reply of which conversation.
class Waiting {
 public:
  void add(const std::string& conversation, BenchLoad::StepDone done) {
    const std::lock_guard lock(mutex_);
    waiting_[conversation] = std::move(done);
  }
  void answered(const std::string& conversation) {
    BenchLoad::StepDone done;
    {
      const std::lock_guard lock(mutex_);
      const auto found = waiting_.find(conversation);
      if (found == waiting_.end()) return;
      done = std::move(found->second);
      waiting_.erase(found);
    }
    done({});
  }

 private:
  std::mutex mutex_;
  std::map<std::string, BenchLoad::StepDone> waiting_;
};

}  // namespace

Result<Json> bench_turn(const TurnBenchOptions& options) {
  const FlowFiles files;
  QIAO_ASSIGN(FlowConfig config, load_flow(files.path()));
  QIAO_ASSIGN(const std::unique_ptr<BenchRig> rig,
              BenchRig::make({false, options.data, options.fsync}));
  Streams streams(rig->clock(), rig->broker(), rig->loop(), rig->metrics());
  ModelSet models;
  models["chat"] = std::make_shared<ScriptedModel>(
      std::vector<ScriptLine>{{"", "Your order is on its way and arrives tomorrow.", {}}});
  QIAO_ASSIGN(const std::unique_ptr<FlowEngine> engine,
              FlowEngine::make(std::move(config), {rig->broker(), streams, nullptr, models,
                                                   rig->loop(), rig->clock(), rig->metrics()}));
  QIAO_TRY(wait_for<void>([&](auto done) { engine->start(std::move(done)); }));

  Waiting waiting;
  const auto subscription = rig->broker().subscribe(
      "bench.out", std::nullopt,
      [&waiting](const StoredMessage& stored) { waiting.answered(stored.message.conversation); });
  const auto sample =
      BenchLoad(static_cast<std::size_t>(options.conversations), options.seconds,
                [&](std::size_t worker, BenchLoad::StepDone done) {
                  const std::string conversation = "c" + std::to_string(worker);
                  waiting.add(conversation, std::move(done));
                  rig->broker().publish({text_message("bench.in", kQuestion, conversation)},
                                        [](const auto&) {});
                })
          .run();
  rig->broker().unsubscribe(subscription);
  engine->stop_and_wait(kStopGraceMs);
  if (!sample) return sample.error();
  return Json{{"bench", "turn"},
              {"peer", "qiao"},
              {"conversations", options.conversations},
              {"seconds", options.seconds},
              {"messages_per_s", sample->messages_per_s},
              {"p50_ms", sample->p50_ms},
              {"p99_ms", sample->p99_ms},
              {"durability", name_of(rig->log().durability())},
              {"cpu", cpu_name()}};
}

}  // namespace qiao::cli
