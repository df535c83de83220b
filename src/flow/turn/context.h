// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "flow/agents/processor.h"
#include "model/model.h"

namespace qiao {

// How many tokens a text takes, estimated from its characters: exact counting would wait for the
// model's process. measure() fits the two rates to a model's own tokenizer. A plain value.
struct TokenEstimate {
  double per_wide = 1.0;    // a character above U+2E7F: Chinese and other East Asian scripts
  double per_other = 0.34;  // a byte of anything else

  [[nodiscard]] std::int32_t count(std::string_view text) const;
  // Asks the model about one sample per script; keeps the defaults when it cannot say. Blocks.
  static TokenEstimate measure(Model& model);
};

// Where one part of a context came from and what it cost.
struct ContextPart {
  std::string kind;    // "system", "instruction", "knowledge", "tool", "figures", "history", "user"
  std::string source;  // prompt file, entry id, tool, message id
  std::int32_t tokens = 0;
};

struct Context {
  std::vector<ChatTurn> turns;
  std::size_t shared_turns = 0;  // of the first ones: other conversations may begin with the same
  std::string given;             // knowledge, tool answers and figures, as the model reads them
  std::int32_t tokens = 0;
  std::size_t input_read = 0;  // characters of the user's text that fit; 0: all of them
  std::vector<ContextPart> parts;
  std::vector<ContextPart> dropped;  // left out to keep within the agent's context_tokens
};

// Puts together what the model reads: system prompt, knowledge and the language to answer in,
// history, what is of this turn alone (tool answers, `figures`, why the last draft did not pass),
// and the user's text, within agent.context_tokens. What is most often the same comes first, since
// a model does not read a beginning again. Left out first: the oldest history, then the least
// related entries; the user's text is cut last, and never silently.
// Pure.
Context build_context(const AgentTask& task, std::string_view figures,
                      const TokenEstimate& estimate);

// Data of the "model.done" event: tokens, parts and what was left out.
Json to_json(const Context& context);

}  // namespace qiao
