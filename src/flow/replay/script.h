// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/open_model.h"
#include "understand/bundle_slot.h"

namespace qiao {

// What came of one conversation script.
struct ScriptOutcome {
  enum class Verdict { kPassed, kFailed, kSkipped };

  std::string name;
  std::string file;  // as found under the flow's tests/
  Verdict verdict = Verdict::kPassed;
  // Passed: empty. Failed: one sentence for each expectation that did not hold. Skipped: what is
  // missing.
  std::vector<std::string> details;
  double ms = 0;
};

struct ScriptOptions {
  bool scripted = true;     // the chat models answer from the script's own `script:`
  bool start_tools = true;  // false: scripts that need tools are skipped
  std::int64_t turn_timeout_ms = 120'000;
  const BundleSet* bundles = nullptr;  // that the flow's heads name
};

inline constexpr std::size_t kScriptsMax = 500;      // in one flow
inline constexpr std::size_t kScriptTurnsMax = 100;  // in one script

// Runs the conversation scripts `tests/*.yaml` of a flow (docs/reference/flow.md), each in a
// conversation and on an engine of its own, over a log in memory: no server, no files. `models`
// holds the real ones by the names flows use; what a script `needs` and is not there skips it.
// `on_outcome` (may be empty) runs after each script, on the caller's thread.
//
// Blocks. Error (invalid_argument): the flow or a script is not written as it must be; it names
// file and line, and nothing was run.
Result<std::vector<ScriptOutcome>> run_scripts(
    const std::string& flow_directory, const ModelSet& models, const ScriptOptions& options,
    const std::function<void(const ScriptOutcome&)>& on_outcome);

}  // namespace qiao
