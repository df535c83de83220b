// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "flow/replay/script.h"
#include "model/scripted_model.h"

namespace qiao::flow {

// What one turn of a conversation script must come to; what is not written is not asked.
struct Expectation {
  std::optional<std::string> route;
  std::vector<std::string> tools;  // each must have been called
  std::vector<std::string> words;  // each must be in the reply, without regard to case
  std::vector<std::string> not_words;
  std::optional<std::string> language;  // of the reply: "zh" or "en"
  std::optional<std::string> agent;
  std::optional<std::string> filter;
  std::optional<bool> ended;
  std::optional<std::string> to;  // subject it is handed to, or agent.NAME
};

struct ScriptTurn {
  std::string say;
  std::string decide;  // instead of `say`: "approve" or "deny" what waits for a person …
  std::string note;    // … with these words
  std::string where;   // "tests/zh.yaml:12: "
  Expectation expect;
};

// One conversation script. A plain value.
struct Script {
  std::string name;
  std::string file;
  std::vector<std::string> needs;
  std::vector<ScriptLine> lines;  // the scripted model's answers
  std::vector<ScriptTurn> turns;
};

// The scripts of `directory`/tests/*.yaml, by file name; a file holds one script or a list of
// them. Error (invalid_argument): all faults, one a line, each with file and line.
Result<std::vector<Script>> load_scripts(const std::string& directory);

}  // namespace qiao::flow
