// SPDX-License-Identifier: Apache-2.0
#include "cli/bench.h"

#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "base/disk.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/random.h"
#include "broker/broker.h"
#include "cli/bench_load.h"
#include "log/memory_log.h"
#include "log/segment_log.h"

namespace qiao::cli {
namespace {

constexpr std::int64_t kLeaseWaitMs = 10'000;
constexpr double kHopAloneShare = 0.5;  // of the time: one message alone; then many

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

// A folder for the log that goes when the measurement ends.
class BenchFolder {
 public:
  static Result<std::unique_ptr<BenchFolder>> make(const std::string& data) {
    std::error_code fault;
    const std::filesystem::path parent =
        data.empty() ? std::filesystem::temp_directory_path(fault) : std::filesystem::path(data);
    const std::filesystem::path path = parent / ("qiao-bench-" + random_hex(8));
    if (!fault) std::filesystem::create_directories(path, fault);
    if (fault)
      return unavailable("cannot make a folder in " + parent.string() + ": " + fault.message());
    return std::make_unique<BenchFolder>(path);
  }
  explicit BenchFolder(std::filesystem::path path) : path_(std::move(path)) {}
  ~BenchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  BenchFolder(const BenchFolder&) = delete;
  BenchFolder& operator=(const BenchFolder&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// A whole broker, as in the server.
class Bench {
 public:
  static Result<std::unique_ptr<Bench>> make(const BenchOptions& options) {
    auto bench = std::unique_ptr<Bench>(new Bench(options));
    if (options.what == "hop") {
      bench->log_ = std::make_unique<MemoryLog>();
    } else {
      QIAO_ASSIGN(bench->folder_, BenchFolder::make(options.data));
      SegmentLogOptions log;
      log.directory = bench->folder_->path();
      log.sync = options.fsync;
      QIAO_ASSIGN(bench->log_, SegmentLog::open(bench->disk_, log));
    }
    QIAO_ASSIGN(bench->broker_, Broker::open(*bench->log_, bench->loop_, bench->clock_, bench->ids_,
                                             bench->metrics_));
    return bench;
  }
  ~Bench() {
    if (broker_) broker_->stop();
    loop_.stop();
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  Result<BenchSample> publish();
  Result<BenchSample> lease();
  Result<BenchSample> hop();
  [[nodiscard]] Durability durability() const { return log_->durability(); }

 private:
  explicit Bench(const BenchOptions& options)
      : publishers_(static_cast<std::size_t>(options.publishers)),
        seconds_(options.seconds),
        body_(options.bytes, 'x') {}

  Status make_group();
  Result<BenchSample> hop_with(std::size_t workers, double seconds);

  const std::size_t publishers_;
  const double seconds_;
  const std::string body_;
  SystemDisk disk_;
  SystemClock clock_;
  IdMaker ids_{clock_, random_seed()};
  Metrics metrics_;
  std::unique_ptr<BenchFolder> folder_;
  LoopThread loop_{"broker"};
  std::unique_ptr<Log> log_;
  std::unique_ptr<Broker> broker_;
};

Result<BenchSample> Bench::publish() {
  return BenchLoad(publishers_, seconds_,
                   [this](std::size_t worker, BenchLoad::StepDone done) {
                     broker_->publish({text_message("bench." + std::to_string(worker), body_)},
                                      [done = std::move(done)](const auto& published) {
                                        done(published ? Status() : Status(published.error()));
                                      });
                   })
      .run();
}

Status Bench::make_group() {
  GroupSpec spec;
  spec.name = "bench";
  spec.pattern = "bench.>";
  std::promise<Status> made;
  broker_->create_group(spec, [&made](const Status& status) { made.set_value(status); });
  return made.get_future().get();
}

// Each worker publishes one, leases one (of whoever) and acks it.
Result<BenchSample> Bench::lease() {
  QIAO_TRY(make_group());
  const auto ack = [this](const Delivery& delivery, BenchLoad::StepDone done) {
    broker_->ack({{delivery.group, delivery.offset, delivery.attempt}}, std::move(done));
  };
  const auto take = [this, ack](BenchLoad::StepDone done) {
    broker_->lease("bench", "bench", 1, kLeaseWaitMs,
                   [ack, done = std::move(done)](const Result<std::vector<Delivery>>& leased) {
                     if (!leased) return done(leased.error());
                     if (leased->empty()) return done(internal("a message was not delivered"));
                     ack(leased->front(), done);
                   });
  };
  return BenchLoad(publishers_, seconds_,
                   [this, take](std::size_t worker, BenchLoad::StepDone done) {
                     broker_->publish({text_message("bench." + std::to_string(worker), body_)},
                                      [take, done = std::move(done)](const auto& published) {
                                        published ? take(done) : done(published.error());
                                      });
                   })
      .run();
}

// A step ends when the subscriber has the message; `correlation` says whose it is.
Result<BenchSample> Bench::hop_with(std::size_t workers, double seconds) {
  std::vector<BenchLoad::StepDone> waiting(workers);
  const auto subscription =
      broker_->subscribe("bench.hop", std::nullopt, [&waiting](const StoredMessage& stored) {
        std::exchange(waiting[std::stoul(stored.message.correlation)], {})(Status());
      });
  auto sample = BenchLoad(workers, seconds, [&](std::size_t worker, BenchLoad::StepDone done) {
                  waiting[worker] = std::move(done);
                  Message message = text_message("bench.hop", body_);
                  message.correlation = std::to_string(worker);
                  broker_->publish({std::move(message)}, [](const auto&) {});
                }).run();
  broker_->unsubscribe(subscription);
  std::promise<void> seen;  // the sink is gone only when the loop has got here
  broker_->topics([&seen](const auto&) { seen.set_value(); });
  seen.get_future().wait();
  return sample;
}

Result<BenchSample> Bench::hop() {
  QIAO_ASSIGN(BenchSample alone, hop_with(1, seconds_ * kHopAloneShare));
  QIAO_ASSIGN(const BenchSample many, hop_with(publishers_, seconds_ * (1 - kHopAloneShare)));
  alone.messages_per_s = many.messages_per_s;
  return alone;
}

Status check(const BenchOptions& options) {
  if (options.what != "publish" && options.what != "lease" && options.what != "hop")
    return invalid_argument("there is no bench '" + options.what +
                            "'; there are publish, lease and hop");
  if (options.publishers < 1 || options.publishers > kBenchPublishersMax)
    return invalid_argument("publishers is from 1 to " + std::to_string(kBenchPublishersMax));
  if (options.bytes < 1 || options.bytes > kMessageBytesMax / 2)
    return invalid_argument("bytes is from 1 to " + std::to_string(kMessageBytesMax / 2));
  if (!(options.seconds > 0) || options.seconds > kBenchSecondsMax)
    return invalid_argument("seconds is above 0 and at most " +
                            std::to_string(static_cast<int>(kBenchSecondsMax)));
  return {};
}

}  // namespace

Result<Json> run_bench(const BenchOptions& options) {
  QIAO_TRY(check(options));
  QIAO_ASSIGN(const std::unique_ptr<Bench> bench, Bench::make(options));
  QIAO_ASSIGN(const BenchSample sample, options.what == "publish" ? bench->publish()
                                        : options.what == "lease" ? bench->lease()
                                                                  : bench->hop());
  return Json{{"bench", options.what},
              {"publishers", options.publishers},
              {"bytes", options.bytes},
              {"seconds", options.seconds},
              {"messages_per_s", sample.messages_per_s},
              {"p50_ms", sample.p50_ms},
              {"p99_ms", sample.p99_ms},
              {"durability", name_of(bench->durability())},
              {"cpu", cpu_name()}};
}

}  // namespace qiao::cli
