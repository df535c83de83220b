// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/scale_bench.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/bench/bench_load.h"
#include "cli/bench/bench_rig.h"
#include "model/memory_use.h"

namespace qiao::cli {
namespace {

constexpr std::int64_t kPublishBatch = 256;
constexpr std::size_t kLeaseBatch = 256;
constexpr std::int64_t kLeaseWaitMs = 60'000;
constexpr std::int64_t kHeldMs = 10'000;          // longer than it takes to lease all of a storm
constexpr std::size_t kBodyCacheBytes = 1 << 20;  // bodies are not what is measured
constexpr std::int64_t kStormMax = 200'000;       // so that this holds

using Deliveries = std::vector<Delivery>;

class ScaleBench {
 public:
  ScaleBench(const ScaleBenchOptions& options, BenchRig& rig)
      : options_(options), rig_(rig), body_(options.bytes, 'x') {}

  Result<Json> start();
  Result<Json> lanes();
  Result<Json> storm();

 private:
  // One message to each of `messages` conversations.
  Status fill();
  Status make_group(std::int64_t lease_ms);
  Result<Deliveries> lease();
  Status ack(const Deliveries& deliveries);
  // Leases all messages, `take` each batch.
  template <class Take>
  Status lease_all(const Take& take);
  [[nodiscard]] double now_s() { return static_cast<double>(rig_.clock().steady_us()) / 1e6; }
  [[nodiscard]] double each(std::int64_t bytes) const {
    return static_cast<double>(bytes) / static_cast<double>(options_.messages);
  }
  // What the allocator holds free is given back first.
  static std::int64_t memory() {
    ::malloc_trim(0);
    return model::resident_bytes(::getpid());
  }

  const ScaleBenchOptions& options_;
  BenchRig& rig_;
  const std::string body_;
};

Status ScaleBench::fill() {
  for (std::int64_t done = 0; done < options_.messages;) {
    std::vector<Message> batch;
    for (; done < options_.messages && std::ssize(batch) < kPublishBatch; ++done)
      batch.push_back(text_message("bench.in", body_, "c" + std::to_string(done)));
    QIAO_TRY(wait_for<std::vector<Published>>(
        [&](auto answered) { rig_.broker().publish(std::move(batch), std::move(answered)); }));
  }
  return {};
}

Status ScaleBench::make_group(std::int64_t lease_ms) {
  GroupSpec spec;
  spec.name = "bench";
  spec.pattern = "bench.>";
  spec.lease_ms = lease_ms;
  return wait_for<void>([&](auto done) { rig_.broker().create_group(spec, std::move(done)); });
}

Result<Deliveries> ScaleBench::lease() {
  return wait_for<Deliveries>([&](auto done) {
    rig_.broker().lease("bench", "bench", kLeaseBatch, kLeaseWaitMs, std::move(done));
  });
}

Status ScaleBench::ack(const Deliveries& deliveries) {
  std::vector<LeaseRef> leases;
  for (const Delivery& delivery : deliveries) leases.push_back(lease_of(delivery));
  return wait_for<void>([&](auto done) { rig_.broker().ack(std::move(leases), std::move(done)); });
}

template <class Take>
Status ScaleBench::lease_all(const Take& take) {
  for (std::int64_t seen = 0; seen < options_.messages;) {
    QIAO_ASSIGN(const Deliveries deliveries, lease());
    if (deliveries.empty()) return internal("messages were not delivered in time");
    seen += std::ssize(deliveries);
    QIAO_TRY(take(deliveries));
  }
  return {};
}

Result<Json> ScaleBench::start() {
  QIAO_TRY(make_group(kHeldMs));
  const double begin = now_s();
  QIAO_TRY(fill());
  const double filled = now_s();
  QIAO_TRY(rig_.reopen(false));
  const double after_crash = now_s();
  QIAO_TRY(rig_.reopen(true));  // writes its snapshot
  const double before = now_s();
  QIAO_TRY(rig_.reopen(false));
  const double after_stop = now_s();
  return Json{{"published_per_s", static_cast<double>(options_.messages) / (filled - begin)},
              {"start_after_crash_ms", (after_crash - filled) * 1e3},
              {"start_after_stop_ms", (after_stop - before) * 1e3},
              {"log_bytes", rig_.log_bytes()}};
}

Result<Json> ScaleBench::lanes() {
  QIAO_TRY(make_group(kHeldMs));
  const std::int64_t empty = memory();
  const double begin = now_s();
  QIAO_TRY(fill());
  const std::int64_t waiting = memory();
  QIAO_TRY(lease_all([this](const Deliveries& deliveries) { return ack(deliveries); }));
  const double seconds = now_s() - begin;
  const std::int64_t idle = memory();
  return Json{{"messages_per_s", static_cast<double>(options_.messages) / seconds},
              {"bytes_per_waiting_lane", each(waiting - empty)},
              {"bytes_per_idle_lane", each(idle - empty)}};
}

Result<Json> ScaleBench::storm() {
  QIAO_TRY(make_group(kHeldMs));
  QIAO_TRY(fill());
  std::int64_t until_ms = 0;
  QIAO_TRY(lease_all([&](const Deliveries& deliveries) {
    until_ms = deliveries.back().until_ms;
    return Status();
  }));
  // The first of them run out before the last: what counts begins when all have.
  while (rig_.clock().wall_ms() < until_ms) ::usleep(1'000);
  const double begin = now_s();
  QIAO_TRY(lease_all([](const Deliveries& deliveries) {
    return deliveries.front().attempt > 1 ? Status() : internal("a message came the first time");
  }));
  const double seconds = now_s() - begin;
  return Json{{"messages_per_s", static_cast<double>(options_.messages) / seconds},
              {"all_again_ms", seconds * 1e3}};
}

Status check(const ScaleBenchOptions& options) {
  const std::int64_t most = options.what == "storm" ? kStormMax : kBenchMessagesMax;
  if (options.messages < 1 || options.messages > most)
    return invalid_argument("--messages is 1 to " + std::to_string(most));
  if (options.bytes < 1 || options.bytes > kMessageBytesMax / 512)
    return invalid_argument("--bytes is 1 to " + std::to_string(kMessageBytesMax / 512));
  return {};
}

}  // namespace

Result<Json> run_scale_bench(const ScaleBenchOptions& options) {
  QIAO_TRY(check(options));
  QIAO_ASSIGN(const std::unique_ptr<BenchRig> rig,
              BenchRig::make({false, options.data, options.fsync, kBodyCacheBytes}));
  ScaleBench bench(options, *rig);
  QIAO_ASSIGN(Json row, options.what == "start"   ? bench.start()
                        : options.what == "lanes" ? bench.lanes()
                                                  : bench.storm());
  row["bench"] = options.what;
  row["peer"] = "qiao";
  row["messages"] = options.messages;
  row["bytes"] = options.bytes;
  row["durability"] = name_of(rig->log().durability());
  row["cpu"] = cpu_name();
  return row;
}

}  // namespace qiao::cli
