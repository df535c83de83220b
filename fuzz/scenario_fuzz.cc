// SPDX-License-Identifier: Apache-2.0
// Scenario files: parsed or refused with a line; lines keep their order. They are not run: a
// scenario may wait as long as it likes.
#include <cstdint>

#include "fuzz_input.h"
#include "scenarios/runner/scenario.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto scenario =
      qiao::scenario::parse_scenario("fuzz.test", qiao::fuzz::text_of(data, size));
  if (!scenario) {
    QIAO_CHECK(scenario.error().message.starts_with("fuzz.test:"));
    return 0;
  }
  QIAO_CHECK(!scenario->name.empty() && !scenario->logs.empty());
  int last = 0;
  for (const auto& line : scenario->lines) {
    QIAO_CHECK(line.number > last);
    last = line.number;
  }
  return 0;
}
