// SPDX-License-Identifier: Apache-2.0
#include "sim/server.h"

#include <optional>
#include <string>

#include "base/metrics.h"
#include "flow/engine.h"
#include "log/segment_log.h"
#include "sim/sim_executor.h"
#include "sim/sim_flow.h"
#include "sim/sim_model.h"

namespace qiao::sim {
namespace {

constexpr std::int64_t kLoopLagUs = 300;
constexpr std::int64_t kWriterLagUs = 4'000;
constexpr std::int64_t kWorkerLagUs = 200'000;
constexpr std::int64_t kStopGraceMs = 500;

// Small bounds, so that a short run meets them all.
SegmentLogOptions log_options(Executor& writer) {
  SegmentLogOptions options;
  options.directory = "data";
  options.segment_bytes = 8 << 10;
  options.append_bytes_max = 64 << 10;
  options.writer = &writer;
  return options;
}

BrokerOptions broker_options(Executor& writer, const Archive& archive) {
  BrokerOptions options;
  options.commands_max = 64;
  options.dedupe_ids_max = 1 << 14;
  options.body_cache_bytes = 8 << 10;
  options.snapshot_every = 60;
  options.read_limit_max = 1 << 16;
  options.snapshot_writer = &writer;
  options.needed_from = [&archive] { return archive.next(); };
  return options;
}

}  // namespace

// What dies with the process. Members are destroyed from the bottom up.
class Server::Process {
 public:
  Process(Machine& machine, Rng& rng)
      : machine_(machine),
        broker_loop_(machine.agenda, rng, kLoopLagUs),
        flow_loop_(machine.agenda, rng, kLoopLagUs),
        writer_(machine.agenda, rng, kWriterLagUs),
        snapshot_writer_(machine.agenda, rng, kWorkerLagUs),
        workers_(machine.agenda, rng, kWorkerLagUs),
        model_loop_(machine.agenda, rng, kLoopLagUs),
        ids_(machine.clock, rng.next()),
        model_(std::make_shared<SimModel>(model_loop_, rng, machine.faults)) {
    models_["chat"] = model_;
  }
  // Nothing runs any more before anything goes.
  ~Process() {
    for (SimExecutor* executor : executors()) executor->abandon();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  Status open() {
    QIAO_ASSIGN(log_, SegmentLog::open(machine_.disk, log_options(writer_)));
    if (machine_.wrap_log) log_ = machine_.wrap_log(std::move(log_));
    QIAO_ASSIGN(broker_, Broker::open(*log_, broker_loop_, machine_.clock, ids_, metrics_,
                                      broker_options(snapshot_writer_, machine_.archive)));
    streams_ = std::make_unique<Streams>(machine_.clock, *broker_, broker_loop_, metrics_);
    broker_->when_abandoned([this](const std::string& message_id) {
      if (engine_) engine_->cancel(message_id);
    });
    FlowServices services{*broker_,
                          *streams_,
                          nullptr,
                          models_,
                          flow_loop_,
                          machine_.clock,
                          metrics_,
                          &workers_,
                          [&tool = machine_.tool](const FetchRequest& request, std::stop_token) {
                            return tool.call(request);
                          }};
    QIAO_ASSIGN(engine_, FlowEngine::make(machine_.flow, std::move(services), make_flow_options()));
    start_engine();
    return {};
  }
  void stop(std::function<void()> stopped) {
    engine_->stop(kStopGraceMs, [this, stopped = std::move(stopped)] {
      streams_->flush();
      static_cast<void>(broker_loop_.post([this, stopped] { broker_->stop(stopped); }));
    });
  }
  Log& log() { return *log_; }
  Broker& broker() { return *broker_; }
  Streams& streams() { return *streams_; }
  SimExecutor& writer() { return writer_; }

 private:
  // A full disk or a busy broker refuse the groups: asked again, as a supervisor would.
  void start_engine() {
    engine_->start([this](const Status& started) {
      machine_.trace.line("flow", started ? "started" : "not started: " + started.error().message);
      if (!started) flow_loop_.post_after(200, [this] { start_engine(); });
    });
  }
  std::array<SimExecutor*, 6> executors() {
    return {&broker_loop_, &flow_loop_, &writer_, &snapshot_writer_, &workers_, &model_loop_};
  }

  Machine& machine_;
  SimExecutor broker_loop_;
  SimExecutor flow_loop_;
  SimExecutor writer_;
  SimExecutor snapshot_writer_;
  SimExecutor workers_;
  SimExecutor model_loop_;
  IdMaker ids_;
  Metrics metrics_;
  std::shared_ptr<SimModel> model_;
  ModelSet models_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Streams> streams_;
  std::unique_ptr<FlowEngine> engine_;
};

Server::Server(Machine machine, std::uint64_t seed) : machine_(std::move(machine)), rng_(seed) {}
Server::~Server() = default;

Status Server::start() {
  auto process = std::make_unique<Process>(machine_, rng_);
  if (Status opened = process->open(); !opened) {
    machine_.trace.line("server", "does not start: " + opened.error().message);
    machine_.disk.end_process();
    return opened;
  }
  process_ = std::move(process);
  ++life_;
  machine_.trace.line("server", "starts life " + std::to_string(life_) + " with " +
                                    std::to_string(log().bounds().next) + " records");
  return {};
}

void Server::end(End how) {
  machine_.trace.line("server", "ends");
  if (how == End::kKilled) {
    machine_.disk.end_process();
  } else {
    machine_.disk.lose_power(how == End::kTorn);
  }
  process_.reset();
}

void Server::stop(std::function<void()> stopped) {
  machine_.trace.line("server", "stops");
  process_->stop([this, life = life_, stopped = std::move(stopped)] {
    // Not inside a task of what is about to go.
    machine_.agenda.after_us(0, [this, life, stopped] {
      if (!is_up() || life != life_) return;
      static_cast<void>(log().close());
      end(End::kKilled);
      stopped();
    });
  });
}

void Server::slow_disk(std::int64_t ms) {
  if (is_up()) process_->writer().delay_next_us(ms * 1'000);
}

Log& Server::log() {
  return process_->log();
}
Broker& Server::broker() {
  return process_->broker();
}
Streams& Server::streams() {
  return process_->streams();
}

}  // namespace qiao::sim
