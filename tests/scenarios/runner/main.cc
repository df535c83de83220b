// SPDX-License-Identifier: Apache-2.0
// scenario_runner FILE…: runs each scenario on each of its logs; one line for each run.
#include <cstdio>
#include <string>

#include "base/disk.h"
#include "base/logging.h"
#include "scenarios/runner/scenario.h"

namespace {

using namespace qiao;

bool run_file(const std::string& path) {
  const Result<std::string> text = read_file(path);
  if (!text) {
    std::printf("FAILED %s\n", text.error().message.c_str());
    return false;
  }
  const auto scenario = scenario::parse_scenario(path, *text);
  if (!scenario) {
    std::printf("FAILED %s\n", scenario.error().message.c_str());
    return false;
  }
  bool passed = true;
  for (const auto kind : scenario->logs) {
    const Status run = scenario::run_scenario(*scenario, kind);
    const std::string what = scenario->name + " on " + std::string(scenario::name_of(kind));
    std::printf("%s %s\n", run ? "passed" : "FAILED", what.c_str());
    if (!run) std::printf("  %s\n", run.error().message.c_str());
    passed = passed && run;
  }
  return passed;
}

}  // namespace

int main(int argc, char** argv) {
  set_log_level(LogLevel::kOff);  // failing logs are asked for
  bool passed = argc > 1;
  for (int i = 1; i < argc; ++i) passed = run_file(argv[i]) && passed;
  return passed ? 0 : 1;
}
