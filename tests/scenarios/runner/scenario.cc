// SPDX-License-Identifier: Apache-2.0
#include "scenarios/runner/scenario.h"

#include <algorithm>

namespace qiao::scenario {
namespace {

using Kind = testing::BrokerHarness::Kind;

std::string_view trim(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r"), text.size());
  const std::size_t end = text.find_last_not_of(" \t\r");
  return end == std::string_view::npos ? std::string_view() : text.substr(begin, end + 1 - begin);
}

// "[a, b]" → a, b
std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    items.emplace_back(trim(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return items;
}

Status take_header(Scenario& scenario, std::string_view line) {
  const std::size_t colon = line.find(':');
  if (!line.starts_with('#') || colon == std::string_view::npos) return {};  // a comment
  const std::string_view key = trim(line.substr(1, colon - 1));
  const std::string_view value = trim(line.substr(colon + 1));
  if (key == "name") scenario.name = value;
  if (key == "description") scenario.description = value;
  if (key == "group") scenario.groups = split_list(value);
  if (key == "log") {
    if (value != "segments") return invalid_argument("'# log:' is segments or not there");
    scenario.logs = {Kind::kSegments};
  }
  return {};
}

}  // namespace

std::string_view name_of(Kind kind) {
  return kind == Kind::kMemory ? "memory" : "segments";
}

Result<Scenario> parse_scenario(std::string file, std::string_view text) {
  Scenario scenario;
  scenario.file = std::move(file);
  scenario.logs = {Kind::kMemory, Kind::kSegments};
  const auto fault = [&scenario](int line, const std::string& why) {
    return invalid_argument(scenario.file + ":" + std::to_string(line) + ": " + why);
  };
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty()) continue;
    if (line.front() != '#') {
      scenario.lines.push_back({number, std::string(line)});
    } else if (scenario.lines.empty()) {
      if (const Status taken = take_header(scenario, line); !taken)
        return fault(number, taken.error().message);
    }
  }
  if (scenario.name.empty()) return fault(1, "the header has no '# name:'");
  if (scenario.description.empty()) return fault(1, "the header has no '# description:'");
  if (scenario.groups.empty()) return fault(1, "the header has no '# group:'");
  if (scenario.lines.empty()) return fault(number, "there are no commands");
  return scenario;
}

}  // namespace qiao::scenario
