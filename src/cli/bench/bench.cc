// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/bench.h"

#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "cli/bench/bench_load.h"
#include "cli/bench/bench_rig.h"

namespace qiao::cli {
namespace {

constexpr std::int64_t kLeaseWaitMs = 10'000;
constexpr double kHopAloneShare = 0.5;  // of the time: one message alone; then many

class Bench {
 public:
  static Result<std::unique_ptr<Bench>> make(const BenchOptions& options) {
    auto bench = std::unique_ptr<Bench>(new Bench(options));
    QIAO_ASSIGN(bench->rig_, BenchRig::make({options.what == "hop", options.data, options.fsync}));
    bench->broker_ = &bench->rig_->broker();
    return bench;
  }

  Result<BenchSample> publish();
  Result<BenchSample> lease();
  Result<BenchSample> hop();
  [[nodiscard]] Durability durability() const { return rig_->log().durability(); }

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
  std::unique_ptr<BenchRig> rig_;
  Broker* broker_ = nullptr;  // the rig's
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
  return wait_for<void>([&](auto done) { broker_->create_group(spec, std::move(done)); });
}

// Each worker publishes one, leases one (of whoever) and acks it.
Result<BenchSample> Bench::lease() {
  QIAO_TRY(make_group());
  const auto ack = [this](const Delivery& delivery, BenchLoad::StepDone done) {
    broker_->ack({lease_of(delivery)}, std::move(done));
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
