// SPDX-License-Identifier: Apache-2.0
#include "model/catalogue/catalogue.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace qiao {
namespace {

const std::string kHash(64, 'a');

Json small_catalogue() {
  const Json file = {{"name", "model.gguf"}, {"bytes", 5}, {"sha256", kHash}};
  const Json part = {{"package", "https://example.org/m.gguf"}, {"file", "model.gguf"}};
  const Json source = {{"client", "url"}, {"verified", false}, {"parts", {part}}};
  const Json model = {{"name", "tiny"},     {"kind", "generator"}, {"title", "Tiny"},
                      {"licence", "MIT"},   {"languages", {"en"}}, {"files", {file}},
                      {"sources", {source}}};
  return {{"models", {model}}};
}

TEST(Catalogue, EveryModelThatIsBuiltInCanBePulled) {
  ASSERT_GE(builtin_catalogue().size(), 4U);
  for (const auto& entry : builtin_catalogue()) {
    EXPECT_FALSE(entry.licence.empty()) << entry.name;
    EXPECT_FALSE(entry.files.empty()) << entry.name;
    EXPECT_EQ(entry.files.front().sha256, entry.sha256) << entry.name;
    EXPECT_EQ(entry.kind == "encoder", !entry.pooling.empty()) << entry.name;
    ASSERT_FALSE(entry.sources.empty()) << entry.name;
    EXPECT_TRUE(entry.sources.front().verified) << entry.name;
  }
}

TEST(Catalogue, FindsByNameAndHelpsWithATypo) {
  EXPECT_EQ(find_model("smollm2-135m")->kind, "generator");
  const auto typo = find_model("smolm2-135m");
  ASSERT_FALSE(typo);
  EXPECT_EQ(typo.error().code, Code::kNotFound);
  EXPECT_NE(typo.error().message.find("smollm2-135m"), std::string::npos);
}

TEST(Catalogue, ReadsAnEntry) {
  const auto entries = parse_catalogue(dump_json(small_catalogue()));
  ASSERT_TRUE(entries) << entries.error().message;
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ(entries->front().bytes, 5U);
  EXPECT_EQ(entries->front().sources[0].parts[0].file, "model.gguf");
}

// Each fault is named by its place.
TEST(Catalogue, NamesThePlaceOfAFault) {
  const std::pair<const char*, Json> rows[] = {{"/models/0/kind", "oracle"},
                                               {"/models/0/name", "../etc"},
                                               {"/models/0/files/0/sha256", "xyz"},
                                               {"/models/0/files/0/name", "a/b"},
                                               {"/models/0/sources/0/client", "ftp"},
                                               {"/models/0/sources/0/parts/0/file", "other"},
                                               {"/models/0/surprise", 1}};
  for (const auto& [pointer, value] : rows) {
    Json changed = small_catalogue();
    changed[Json::json_pointer(pointer)] = value;
    const auto entries = parse_catalogue(dump_json(changed));
    ASSERT_FALSE(entries) << pointer;
    EXPECT_EQ(entries.error().code, Code::kInvalidArgument) << pointer;
    const std::string last = std::string(pointer).substr(std::string(pointer).rfind('/') + 1);
    EXPECT_NE(entries.error().message.find(last), std::string::npos) << entries.error().message;
  }
  EXPECT_FALSE(parse_catalogue("{"));
  EXPECT_FALSE(parse_catalogue(R"({"models": 3})"));
}

}  // namespace
}  // namespace qiao
