// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include <gtest/gtest.h>

namespace qiao {
namespace {

std::string fault_of(std::string_view text) {
  const auto node = parse_yaml(text, "f.yaml");
  return node ? "no fault" : node.error().message;
}

TEST(ParseYaml, KeepsOrderPlaceAndQuotes) {
  const YamlNode root = parse_yaml("b: 1\na:\n  - '2'\n  - x: ~\n", "f.yaml").value();
  ASSERT_EQ(root.entries.size(), 2U);
  EXPECT_EQ(root.entries[0].key, "b");
  const YamlNode* list = root.find("a");
  ASSERT_NE(list, nullptr);
  EXPECT_TRUE(list->items[0].quoted);
  EXPECT_EQ(list->items[0].where(), "f.yaml:3: ");
  EXPECT_EQ(dump_json(root.to_json()), R"({"b":1,"a":["2",{"x":null}]})");
}

TEST(ParseYaml, FollowsAliases) {
  const auto root = parse_yaml("a: &x [1, 2]\nb: *x\n", "f.yaml");
  ASSERT_TRUE(root);
  EXPECT_EQ(dump_json(root->to_json()), R"({"a":[1,2],"b":[1,2]})");
}

TEST(ParseYaml, FaultsHaveAPlace) {
  EXPECT_EQ(fault_of("a: 1\na: 2\n"), "f.yaml:2: key 'a' stands twice");
  EXPECT_EQ(fault_of("a: &x [*x]\n"), "f.yaml:1: an alias inside its own anchor");
  EXPECT_NE(fault_of("a: [1\nb: 2\n").find("f.yaml:"), std::string::npos);
  EXPECT_NE(fault_of("a: *none\n").find("f.yaml:1"), std::string::npos);
  EXPECT_NE(fault_of("? [1, 2]\n: x\n").find("a key must be plain text"), std::string::npos);
  EXPECT_NE(fault_of("a: 1\n---\nb: 2\n").find("more than one document"), std::string::npos);
}

TEST(ParseYaml, EmptyIsNull) {
  EXPECT_EQ(parse_yaml("", "f")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(parse_yaml("# only a comment\n", "f")->kind, YamlNode::Kind::kNull);
}

// Nine levels of nine aliases: 10^9 nodes when followed without a limit.
TEST(ParseYaml, RefusesBillionLaughs) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i <= 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 0; k < 8; ++k) text += ", " + before;
    text += "]\n";
  }
  EXPECT_NE(fault_of(text).find("nodes"), std::string::npos) << fault_of(text);
}

// Anchors inside anchors keep copies of copies.
TEST(ParseYaml, RefusesNestedAnchorsThatMultiply) {
  std::string text = "a: ";
  for (int i = 0; i < 50; ++i) text += "&n" + std::to_string(i) + " [";
  for (int i = 0; i < 20'000; ++i) text += "x,";
  text += std::string(50, ']') + "\n";
  EXPECT_NE(fault_of(text).find("anchors"), std::string::npos) << fault_of(text);
}

TEST(ParseYaml, RefusesDepthAlsoThroughAliases) {
  EXPECT_NE(fault_of(std::string(10'000, '[')).find("deeper than 64"), std::string::npos);
  const std::string half = std::string(40, '[') + "x" + std::string(40, ']');
  EXPECT_EQ(fault_of("a: &x " + half + "\nb: *x\n"), "no fault");
  const std::string deep = std::string(40, '[') + "*x" + std::string(40, ']');
  EXPECT_NE(fault_of("a: &x " + half + "\nb: " + deep + "\n").find("deeper than 64"),
            std::string::npos);
}

TEST(ParseYaml, RefusesTooManyBytes) {
  EXPECT_NE(fault_of(std::string(kYamlBytesMax + 1, ' ')).find("larger than"), std::string::npos);
}

TEST(LoadYaml, NamesTheMissingFile) {
  const auto node = load_yaml("/nowhere/flow.yaml");
  EXPECT_EQ(node.error().code, Code::kNotFound);
  EXPECT_NE(node.error().message.find("/nowhere/flow.yaml"), std::string::npos);
}

TEST(YamlReader, AnUnknownKeyIsToldWhereTheKeyStands) {
  const auto node = parse_yaml("flow: x\nroutez:\n\n  - a\n", "f.yaml");
  ASSERT_TRUE(node);
  YamlReader reader(*node);
  reader.get_string("flow");
  reader.get_node("routes");
  EXPECT_EQ(reader.finish().error().message,
            "f.yaml:2: unknown key 'routez'; did you mean 'routes'?");
}

TEST(YamlReader, ReadsTypedValues) {
  const YamlNode root = parse_yaml(
                            "s: text\ni: -7\nd: 1.5\nb: yes\nt: 4s\nms: 250\nl: [a, b]\none: x\n"
                            "none: ~\n",
                            "f.yaml")
                            .value();
  YamlReader reader(root);
  EXPECT_EQ(reader.get_string("s"), "text");
  EXPECT_EQ(reader.get_integer("i"), -7);
  EXPECT_EQ(reader.get_number("d"), 1.5);
  EXPECT_EQ(reader.get_bool("b"), true);
  EXPECT_EQ(reader.get_duration_ms("t"), 4'000);
  EXPECT_EQ(reader.get_duration_ms("ms"), 250);
  EXPECT_EQ(reader.get_strings("l"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(reader.get_strings("one"), std::vector<std::string>{"x"});
  EXPECT_FALSE(reader.get_string("none"));
  EXPECT_FALSE(reader.get_string("absent"));
  EXPECT_TRUE(reader.finish());
}

TEST(YamlReader, CollectsEveryFaultWithPlaceAndNearestKey) {
  const YamlNode root =
      parse_yaml("tokens: many\ntemprature: 0.3\nwait: 4 weeks\nscore: nan\n", "f.yaml").value();
  YamlReader reader(root);
  reader.get_integer("tokens");
  reader.get_number("temperature");
  reader.get_duration_ms("wait");
  reader.get_number("score");
  reader.require("name");
  const Status status = reader.finish();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "f.yaml:1: 'tokens' must be a whole number\n"
            "f.yaml:3: 'wait' must be a duration such as 800ms, 4s, 30m or 2h\n"
            "f.yaml:4: 'score' must be a number\n"
            "f.yaml:1: 'name' is missing\n"
            "f.yaml:2: unknown key 'temprature'; did you mean 'temperature'?");
}

TEST(YamlReader, MergesNestedFaults) {
  const YamlNode root = parse_yaml("turn: { setle: 1s }\n", "f.yaml").value();
  YamlReader outer(root);
  YamlReader inner(*outer.get_node("turn"));
  inner.get_duration_ms("settle");
  outer.merge(inner);
  const Status status = outer.finish();
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("did you mean 'settle'?"), std::string::npos);
}

TEST(Nearest, SuggestsOnlyWhatIsNear) {
  EXPECT_EQ(nearest("serv", {"serve", "send"}), "serve");
  EXPECT_EQ(nearest("sevre", {"send", "serve"}), "serve") << "two letters swapped are one slip";
  EXPECT_EQ(nearest("zzzzzz", {"serve", "send"}), std::nullopt);
  EXPECT_EQ(nearest("", {}), std::nullopt);
}

}  // namespace
}  // namespace qiao
