// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

// Runs `publish` again and again on `publishers` threads for `seconds`, each call one message that
// is acked when it returns, and prints one JSON line with the rate and the latency percentiles.
// `make(i)` gives thread i its own connection as a callable.
inline int measure(const char* peer, int publishers, int bytes, double seconds,
                   const std::function<std::function<bool()>(int)>& make) {
  using Clock = std::chrono::steady_clock;
  std::vector<std::vector<float>> all(static_cast<std::size_t>(publishers));
  std::atomic<bool> go{false};
  std::atomic<bool> failed{false};
  std::atomic<int> ready{0};
  Clock::time_point end;
  std::vector<std::thread> threads;
  for (int i = 0; i < publishers; ++i) {
    threads.emplace_back([&, i] {
      auto publish = make(i);
      if (!publish) failed = true;
      ++ready;
      while (!go) std::this_thread::yield();
      auto& mine = all[static_cast<std::size_t>(i)];
      for (auto start = Clock::now(); !failed && start < end;) {
        if (!publish()) failed = true;
        const auto now = Clock::now();
        mine.push_back(std::chrono::duration<float, std::milli>(now - start).count());
        start = now;
      }
    });
  }
  while (ready < publishers) std::this_thread::yield();
  const auto begin = Clock::now();
  end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  go = true;
  for (auto& thread : threads) thread.join();
  const double took = std::chrono::duration<double>(Clock::now() - begin).count();
  std::vector<float> sorted;
  for (auto& mine : all) sorted.insert(sorted.end(), mine.begin(), mine.end());
  std::sort(sorted.begin(), sorted.end());
  if (failed || sorted.empty()) {
    std::fprintf(stderr, "%s: a publish failed\n", peer);
    return 1;
  }
  const auto at = [&](double q) {
    return static_cast<double>(
        sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))]);
  };
  std::printf(
      "{\"peer\":\"%s\",\"publishers\":%d,\"bytes\":%d,\"messages_per_s\":%.0f,\"p50_ms\":%.3f,"
      "\"p99_ms\":%.3f}\n",
      peer, publishers, bytes, static_cast<double>(sorted.size()) / took, at(0.5), at(0.99));
  return 0;
}
