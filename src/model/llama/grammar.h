// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace qiao::model {

inline constexpr std::size_t kSchemaBytesMax = 64 << 10;
inline constexpr std::size_t kGrammarBytesMax = 256 << 10;
inline constexpr std::size_t kGrammarDepthMax = 100;

// A GBNF grammar of exactly the JSON texts a JSON Schema allows, as far as llama.cpp's converter
// goes (types, properties in their order, required, enum, const, anyOf, oneOf, items, lengths,
// ranges, patterns, formats, local $ref). Errors (invalid_argument) name what it cannot express.
Result<std::string> grammar_of_schema(const Json& schema);

// Bounds a grammar someone sent, before llama.cpp's recursive parser reads it; whether it is GBNF
// shows when a sampler is made of it.
Status check_grammar(std::string_view gbnf);

}  // namespace qiao::model
