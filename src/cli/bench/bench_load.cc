// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/bench_load.h"

#include <algorithm>
#include <chrono>

namespace qiao::cli {
namespace {

std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

}  // namespace

BenchLoad::BenchLoad(std::size_t workers, double seconds, Step step)
    : seconds_(seconds), step_(std::move(step)), latencies_ms_(workers) {}

Result<BenchSample> BenchLoad::run() {
  const std::int64_t start = now_ns();
  end_ns_ = start + static_cast<std::int64_t>(seconds_ * 1e9);
  running_ = latencies_ms_.size();
  std::future<void> ended = all_ended_.get_future();
  for (std::size_t worker = 0; worker < latencies_ms_.size(); ++worker) begin(worker);
  ended.wait();
  const double took_s = static_cast<double>(now_ns() - start) / 1e9;
  std::lock_guard lock(mutex_);
  if (failed_) return *failed_;
  return sample(took_s);
}

void BenchLoad::begin(std::size_t worker) {
  step_(worker, [this, worker, started = now_ns()](const Status& status) {
    ended(worker, started, status);
  });
}

void BenchLoad::ended(std::size_t worker, std::int64_t begin_ns, const Status& status) {
  const std::int64_t now = now_ns();
  latencies_ms_[worker].push_back(static_cast<float>(now - begin_ns) / 1e6F);
  if (!status) {
    std::lock_guard lock(mutex_);
    if (!failed_) failed_ = status.error();
  }
  if (status && now < end_ns_) return begin(worker);
  if (--running_ == 0) all_ended_.set_value();
}

BenchSample BenchLoad::sample(double took_s) const {
  std::vector<float> all;
  for (const auto& one : latencies_ms_) all.insert(all.end(), one.begin(), one.end());
  std::sort(all.begin(), all.end());
  const auto at = [&all](double part) {
    return static_cast<double>(
        all[static_cast<std::size_t>(part * static_cast<double>(all.size() - 1))]);
  };
  return {static_cast<double>(all.size()) / took_s, at(0.5), at(0.99)};
}

}  // namespace qiao::cli
