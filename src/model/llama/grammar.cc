// SPDX-License-Identifier: Apache-2.0
#include "model/llama/grammar.h"

#include <llama-common/json-schema-to-grammar.h>

#include <algorithm>

namespace qiao::model {

Result<std::string> grammar_of_schema(const Json& schema) {
  if (!schema.is_object()) return invalid_argument("a JSON Schema must be an object");
  const std::string text = dump_json(schema);
  if (text.size() > kSchemaBytesMax) {
    return invalid_argument("the JSON Schema has " + std::to_string(text.size()) +
                            " bytes, more than " + std::to_string(kSchemaBytesMax));
  }
  try {
    auto gbnf = json_schema_to_grammar(common_json::parse(text));
    QIAO_TRY(check_grammar(gbnf));
    return gbnf;
  } catch (const std::exception& e) {
    return invalid_argument(std::string("this JSON Schema cannot be made a grammar: ") + e.what());
  }
}

Status check_grammar(std::string_view gbnf) {
  if (gbnf.size() > kGrammarBytesMax) {
    return invalid_argument("the grammar has " + std::to_string(gbnf.size()) +
                            " bytes, more than " + std::to_string(kGrammarBytesMax));
  }
  if (gbnf.find('\0') != std::string_view::npos) return invalid_argument("the grammar holds a NUL");
  if (!gbnf.starts_with("root") && gbnf.find("\nroot") == std::string_view::npos) {
    return invalid_argument("the grammar has no rule `root ::= …`");
  }
  // Counts brackets in literals too: a bound on recursion may be too careful, never too lax.
  std::size_t depth = 0;
  std::size_t deepest = 0;
  for (const char c : gbnf) {
    if (c == '(') deepest = std::max(deepest, ++depth);
    if (c == ')' && depth > 0) --depth;
  }
  if (deepest > kGrammarDepthMax) {
    return invalid_argument("the grammar is nested deeper than " +
                            std::to_string(kGrammarDepthMax));
  }
  return {};
}

}  // namespace qiao::model
