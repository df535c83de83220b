// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/yaml.h"
#include "model/model.h"

namespace qiao {

// One line of a script: when the last user turn contains `when` ("" = any), answer `say`.
struct ScriptLine {
  std::string when;
  std::string say;
  std::vector<ToolCall> tool_calls;
};

// Chances in [0,1] of each fault, drawn from the seed.
struct ScriptFaults {
  double fail = 0;     // model_failed
  double refuse = 0;   // overloaded
  double cut = 0;      // ends with kLength in the middle
  double garbage = 0;  // text that satisfies no format
  double hang = 0;     // answers `deadline` at once, as if time had run out
};

// Reads `script: [ { when: …, say: …, tool_calls: [ { name, arguments } ] } ]` from a YAML file.
// Errors name file and line.
Result<std::vector<ScriptLine>> load_script(const std::string& path);
// The same of the list itself.
Result<std::vector<ScriptLine>> read_script(const YamlNode& list);

// A Model that answers from a script, deterministically under a seed, on the caller's thread.
// Embeddings are hashed character bigrams (256 floats): near texts are near. Tests and
// `qiao flow test --model scripted` use it; it is never picked by itself.
class ScriptedModel final : public Model {
 public:
  explicit ScriptedModel(std::vector<ScriptLine> lines, std::uint64_t seed = 1,
                         ScriptFaults faults = {});

  [[nodiscard]] ModelInfo info() const override;
  RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) override;
  void cancel(RequestId request) override;
  void embed(std::vector<std::string> texts, OnEmbedded on_done) override;
  Result<std::int32_t> count_tokens(std::string_view text) override;

  // What it was last asked, for assertions.
  [[nodiscard]] std::optional<GenerateRequest> last_request() const;
  [[nodiscard]] std::uint64_t calls() const { return calls_.load(); }

 private:
  enum class Fault { kNone, kFail, kRefuse, kCut, kGarbage, kHang };
  Fault draw_fault();
  [[nodiscard]] const ScriptLine* line_for(const GenerateRequest& request) const;
  [[nodiscard]] Result<Generated> answer(const GenerateRequest& request, Fault fault) const;

  std::vector<ScriptLine> lines_;
  ScriptFaults faults_;
  mutable std::mutex mutex_;
  Rng rng_;
  std::optional<GenerateRequest> last_;
  std::atomic<std::uint64_t> calls_{0};
};

}  // namespace qiao
