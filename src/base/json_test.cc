// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <gtest/gtest.h>

namespace qiao {
namespace {

TEST(ParseJson, KeepsTheOrderOfKeys) {
  EXPECT_EQ(dump_json(parse_json(R"({"z":1,"a":[true,null,"桥"]})").value()),
            R"({"z":1,"a":[true,null,"桥"]})");
}

TEST(ParseJson, ARepeatedKeyKeepsItsPlaceAndTakesTheLaterValue) {
  EXPECT_EQ(dump_json(parse_json(R"({"a":1,"b":{"x":1,"x":[]},"a":3,"c":4,"c":5})").value()),
            R"({"a":3,"b":{"x":[]},"c":5})");
  std::string many = "{";
  for (int i = 0; i < 100; ++i)
    many += "\"" + std::to_string(i % 50) + "\":" + std::to_string(i) + ",";
  const Json json = parse_json(many + "\"end\":{}}").value();
  EXPECT_EQ(json.size(), 51U);
  EXPECT_EQ(json.begin().key(), "0");
  EXPECT_EQ(json["0"], 50);
  EXPECT_EQ(json["49"], 99);
}

// A vocabulary: looking through all keys for each new one would take minutes.
TEST(ParseJson, ManyKeysTakeNoLongerThanTheyMust) {
  std::string text = "{\"first\":0";
  for (int i = 0; i < 200'000; ++i)
    text += ",\"token" + std::to_string(i) + "\":" + std::to_string(i);
  EXPECT_EQ(parse_json(text + "}").value().size(), 200'001U);
}

TEST(ParseJson, FaultsNameTheByte) {
  const auto fault = parse_json("{\"a\": tru}");
  ASSERT_FALSE(fault);
  EXPECT_EQ(fault.error().code, Code::kInvalidArgument);
  EXPECT_NE(fault.error().message.find("column 10"), std::string::npos) << fault.error().message;
}

TEST(ParseJson, RefusesWhatIsNotOneJsonText) {
  for (const char* text : {"", "{", "[1,]", "1 2", "nul", "\"\xff\"", "{\"a\":1}}", "'a'", "NaN"})
    EXPECT_FALSE(parse_json(text)) << text;
}

// Ten thousand levels must neither be built nor recurse.
TEST(ParseJson, RefusesDepthBeforeBuilding) {
  EXPECT_FALSE(parse_json(std::string(10'000, '[')));
  EXPECT_FALSE(parse_json(std::string(10'000, '[') + std::string(10'000, ']')));
  EXPECT_TRUE(parse_json(std::string(64, '[') + std::string(64, ']')));
  EXPECT_FALSE(parse_json(std::string(65, '[') + std::string(65, ']')));
  EXPECT_TRUE(parse_json("\"" + std::string(1'000, '[') + "\""));
  EXPECT_TRUE(parse_json(R"("\"[[[[[")", 2));
}

TEST(DumpJson, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(dump_json(Json("a\xff")), "\"a\xef\xbf\xbd\"");
}

TEST(JsonLookUp, GivesNothingForAnotherType) {
  const Json json =
      parse_json(R"({"s":"x","i":7,"d":1.5,"b":true,"n":null,"u":18446744073709551615})").value();
  EXPECT_EQ(json_string(json, "s"), "x");
  EXPECT_EQ(json_integer(json, "i"), 7);
  EXPECT_EQ(json_number(json, "i"), 7.0);
  EXPECT_EQ(json_number(json, "d"), 1.5);
  EXPECT_EQ(json_bool(json, "b"), true);
  EXPECT_FALSE(json_string(json, "i"));
  EXPECT_FALSE(json_integer(json, "d"));
  EXPECT_FALSE(json_integer(json, "u"));
  EXPECT_FALSE(json_bool(json, "n"));
  EXPECT_FALSE(json_string(json, "absent"));
  EXPECT_FALSE(json_string(Json::array(), "s"));
  EXPECT_FALSE(json_string(Json(3), "s"));
}

}  // namespace
}  // namespace qiao
