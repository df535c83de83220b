// SPDX-License-Identifier: Apache-2.0
#include "model/llama/grammar.h"

#include <gtest/gtest.h>

namespace qiao::model {
namespace {

Json schema(const char* text) {
  return *parse_json(text);
}

TEST(Grammar, ASchemaBecomesRules) {
  const auto gbnf = grammar_of_schema(schema(
      R"({"type":"object","properties":{"kind":{"enum":["refund","order"]},"count":{"type":"integer"}},
          "required":["kind","count"]})"));
  ASSERT_TRUE(gbnf) << gbnf.error().message;
  EXPECT_NE(gbnf->find("root ::="), std::string::npos);
  EXPECT_NE(gbnf->find("refund"), std::string::npos);
}

TEST(Grammar, WhatCannotBeExpressedIsAnError) {
  for (const char* bad : {"[]", "3", R"({"$ref":"#/definitions/absent"})",
                          R"({"type":"object","properties":{"a":{"type":"colour"}}})"}) {
    const auto gbnf = grammar_of_schema(schema(bad));
    ASSERT_FALSE(gbnf) << bad << " gave " << *gbnf;
    EXPECT_EQ(gbnf.error().code, Code::kInvalidArgument) << bad;
  }
}

TEST(Grammar, LargeSchemasAreRefused) {
  Json large = schema(R"({"type":"string"})");
  large["description"] = std::string(kSchemaBytesMax, 'x');
  EXPECT_EQ(grammar_of_schema(large).error().code, Code::kInvalidArgument);
}

TEST(Grammar, BoundsWhatPeopleSend) {
  EXPECT_TRUE(check_grammar("root ::= \"yes\" | \"no\""));
  EXPECT_TRUE(check_grammar("# either\nroot ::= ((\"a\"))"));
  EXPECT_FALSE(check_grammar("answer ::= \"yes\""));
  EXPECT_FALSE(check_grammar(std::string("root ::= \"a\0\"", 14)));
  EXPECT_FALSE(check_grammar("root ::= " + std::string(kGrammarDepthMax + 1, '(')));
  EXPECT_FALSE(check_grammar("root ::= " + std::string(kGrammarBytesMax, 'a')));
}

}  // namespace
}  // namespace qiao::model
