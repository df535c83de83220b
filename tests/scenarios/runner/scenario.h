// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/testing/broker_harness.h"

namespace qiao::scenario {

// One scenario file (docs/reference/scenarios.md): a header and lines of commands. A plain value.
struct Scenario {
  struct Line {
    int number = 0;
    std::string text;
  };
  std::string file;
  std::string name;
  std::string description;
  std::vector<std::string> groups;
  std::vector<testing::BrokerHarness::Kind> logs;  // it runs on each
  std::vector<Line> lines;
};

// Errors begin with "file:line: ".
Result<Scenario> parse_scenario(std::string file, std::string_view text);

// Runs it on one kind of log. The Error is the first line that fails, "file:line: why".
Status run_scenario(const Scenario& scenario, testing::BrokerHarness::Kind kind);

std::string_view name_of(testing::BrokerHarness::Kind kind);

}  // namespace qiao::scenario
