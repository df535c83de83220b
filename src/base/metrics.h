// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace qiao {

// A number that only rises. Thread-safe.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Counts in fixed buckets, for seconds. Thread-safe.
class Histogram {
 public:
  static constexpr double kBounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                       0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                       1,      2.5,     5,      10,    30,     60};
  void observe(double seconds);
  // Appends Prometheus lines; used by Metrics.
  void write(std::string& out, std::string_view name, std::string_view labels) const;

 private:
  std::atomic<std::uint64_t> counts_[std::size(kBounds) + 1]{};
  std::atomic<std::uint64_t> sum_us_{0};
};

// All figures of one server, printed in Prometheus text format 0.0.4. References stay valid as
// long as the Metrics. Thread-safe. `labels` is written as in `topic="a"`, or empty.
class Metrics {
 public:
  Counter& counter(std::string_view name, std::string_view help, std::string_view labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::string_view labels = {});
  // A value asked for at print time.
  void gauge(std::string_view name, std::string_view help, std::function<double()> read,
             std::string_view labels = {});
  [[nodiscard]] std::string text() const;

 private:
  template <class T>
  struct Family {
    std::string help;
    std::map<std::string, T*, std::less<>> by_labels;
  };
  mutable std::mutex mutex_;
  std::deque<Counter> counters_;
  std::deque<Histogram> histograms_;
  std::deque<std::function<double()>> gauges_;
  std::map<std::string, Family<Counter>, std::less<>> counter_families_;
  std::map<std::string, Family<Histogram>, std::less<>> histogram_families_;
  std::map<std::string, Family<std::function<double()>>, std::less<>> gauge_families_;
};

}  // namespace qiao
