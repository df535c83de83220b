// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/agenda.h"

namespace qiao::sim {

// What happened, one line an event: virtual time in µs, who, what. The sum over all lines tells
// whether two runs were the same; the lines themselves are kept only when asked for.
class Trace {
 public:
  Trace(const Agenda& agenda, bool keep) : agenda_(agenda), keep_(keep) {}

  void line(std::string_view who, std::string_view what);
  [[nodiscard]] std::uint64_t sum() const { return sum_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  const Agenda& agenda_;
  const bool keep_;
  std::uint64_t sum_ = 0xcbf29ce484222325ULL;  // FNV-1a
  std::string text_;
};

}  // namespace qiao::sim
