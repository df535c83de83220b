// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/language.h"
#include "flow/config/flow_config.h"
#include "understand/understander.h"

namespace qiao {

// What a draft is judged by. A plain value.
struct FilterInput {
  std::string draft;
  std::string question;      // the user's text
  std::string conversation;  // what was said before, both sides
  std::string given;         // knowledge, tool answers, figures the model had
  std::string prompt;        // the agent's own
  Language language = Language::kEnglish;
  std::int32_t tokens_max = 256;  // of the answer
  bool cut_off = false;           // the model stopped at its token limit
};

struct Verdict {
  std::string filter;
  bool passed = true;
  std::string reason;  // for the model and for people, in English
  double score = 0;
};
Json to_json(const Verdict& verdict);

// One question about a draft each, pure. docs/reference/flow.md tells what they ask.
Verdict check_language(const FilterInput& input);
Verdict check_no_pii(const FilterInput& input);
Verdict check_length(const FilterInput& input);
Verdict check_repetition(const FilterInput& input);
Verdict check_json(const FilterInput& input);
// Every number in digits stands in question, conversation, given or prompt.
Verdict check_numbers(const FilterInput& input);
// What the draft states beyond the question stands in what was given, for the greater part, and is
// something at all: not "yes", not the question turned round.
Verdict check_grounded(const FilterInput& input);
// Words in common with question, conversation and given: what `relevant` falls back to.
Verdict check_relevant_words(const FilterInput& input);
// From the vectors of draft, question and given.
Verdict check_relevant_vectors(const Embeddings& vectors);

// Runs the agent's filters in their order, `relevant` (which asks the encoder) last, up to the
// first that rejects. `done` runs once with all verdicts, on any thread or inside. The
// understander (may be null) must outlive the call.
void run_filters(const std::vector<FilterConfig>& filters, const FilterInput& input,
                 const std::shared_ptr<const Understander>& understander,
                 std::function<void(std::vector<Verdict>)> done);

}  // namespace qiao
