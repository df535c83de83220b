// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace qiao {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string braces(std::string_view labels, std::string_view extra = {}) {
  if (labels.empty() && extra.empty()) return {};
  std::string out = "{";
  out.append(labels);
  if (!labels.empty() && !extra.empty()) out += ',';
  return out.append(extra).append("}");
}

void write_header(std::string& out, std::string_view name, std::string_view help,
                  std::string_view type) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n");
  out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

}  // namespace

void Histogram::observe(double seconds) {
  const auto* bound = std::lower_bound(std::begin(kBounds), std::end(kBounds), seconds);
  counts_[static_cast<std::size_t>(bound - std::begin(kBounds))].fetch_add(
      1, std::memory_order_relaxed);
  sum_us_.fetch_add(static_cast<std::uint64_t>(std::max(0.0, seconds) * 1e6),
                    std::memory_order_relaxed);
}

void Histogram::write(std::string& out, std::string_view name, std::string_view labels) const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i <= std::size(kBounds); ++i) {
    total += counts_[i].load(std::memory_order_relaxed);
    const std::string le = i == std::size(kBounds) ? "+Inf" : number(kBounds[i]);
    out.append(name).append("_bucket").append(braces(labels, "le=\"" + le + "\""));
    out.append(" ").append(std::to_string(total)).append("\n");
  }
  out.append(name).append("_sum").append(braces(labels)).append(" ");
  out.append(number(static_cast<double>(sum_us_.load(std::memory_order_relaxed)) / 1e6))
      .append("\n");
  out.append(name)
      .append("_count")
      .append(braces(labels))
      .append(" ")
      .append(std::to_string(total))
      .append("\n");
}

Counter& Metrics::counter(std::string_view name, std::string_view help, std::string_view labels) {
  std::lock_guard lock(mutex_);
  auto& family = counter_families_[std::string(name)];
  family.help = help;
  Counter*& slot = family.by_labels[std::string(labels)];
  if (slot == nullptr) slot = &counters_.emplace_back();
  return *slot;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help,
                              std::string_view labels) {
  std::lock_guard lock(mutex_);
  auto& family = histogram_families_[std::string(name)];
  family.help = help;
  Histogram*& slot = family.by_labels[std::string(labels)];
  if (slot == nullptr) slot = &histograms_.emplace_back();
  return *slot;
}

void Metrics::gauge(std::string_view name, std::string_view help, std::function<double()> read,
                    std::string_view labels) {
  std::lock_guard lock(mutex_);
  auto& family = gauge_families_[std::string(name)];
  family.help = help;
  family.by_labels[std::string(labels)] = &gauges_.emplace_back(std::move(read));
}

std::string Metrics::text() const {
  std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : counter_families_) {
    write_header(out, name, family.help, "counter");
    for (const auto& [labels, counter] : family.by_labels) {
      out.append(name)
          .append(braces(labels))
          .append(" ")
          .append(std::to_string(counter->value()))
          .append("\n");
    }
  }
  for (const auto& [name, family] : gauge_families_) {
    write_header(out, name, family.help, "gauge");
    for (const auto& [labels, read] : family.by_labels) {
      out.append(name).append(braces(labels)).append(" ").append(number((*read)())).append("\n");
    }
  }
  for (const auto& [name, family] : histogram_families_) {
    write_header(out, name, family.help, "histogram");
    for (const auto& [labels, histogram] : family.by_labels) histogram->write(out, name, labels);
  }
  return out;
}

}  // namespace qiao
