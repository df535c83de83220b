// SPDX-License-Identifier: Apache-2.0
#include "model/bundle/bundle_store.h"

#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"
#include "model/testing/tiny_bundle.h"

namespace qiao {
namespace {

using testing::TempFolder;
using testing::TinyBundle;
using testing::write_tiny_bundle;

#ifdef QIAO_TEST_GGUF
class BundleStore : public ::testing::Test {
 protected:
  BundleStore() {
    write_tiny_bundle(folder_ / "old", {{"order", "refund"}, {{"money", "refund"}}});
    write_tiny_bundle(folder_ / "new", {{"order", "refund"}, {{"money", "order"}}});
  }
  std::string import_one(const std::string& which) {
    const auto version = import_bundle(models_, "intents", folder_ / which);
    EXPECT_TRUE(version) << version.error().message;
    return version.value_or("");
  }

  TempFolder folder_;
  const std::string models_ = folder_ / "models";
};

TEST_F(BundleStore, AVersionIsNamedByItsContent) {
  const std::string old = import_one("old");
  EXPECT_EQ(old.size(), kVersionDigits);
  EXPECT_EQ(import_one("old"), old);
  EXPECT_NE(import_one("new"), old);
  EXPECT_EQ(read_bundle_state(models_, "intents").error().code, Code::kNotFound);  // none served
}

TEST_F(BundleStore, PromotesAndGoesBack) {
  const std::string old = import_one("old");
  ASSERT_TRUE(promote_version(models_, "intents", old, 1));
  EXPECT_EQ(roll_back_version(models_, "intents").error().code, Code::kPrecondition);
  const std::string fresh = import_one("new");
  ASSERT_TRUE(promote_version(models_, "intents", fresh, 2));
  ASSERT_TRUE(promote_version(models_, "intents", fresh, 3));  // again: nothing changes
  EXPECT_EQ(read_bundle_state(models_, "intents")->current(), fresh);
  EXPECT_EQ(roll_back_version(models_, "intents").value_or(""), old);
  EXPECT_EQ(read_bundle_state(models_, "intents")->current(), old);
  EXPECT_EQ(promote_version(models_, "intents", "000000000000", 4).error().code, Code::kNotFound);
  EXPECT_EQ(promote_version(models_, "intents", "../../old", 4).error().code, Code::kNotFound);
}

TEST_F(BundleStore, ListsWhatIsServed) {
  ASSERT_TRUE(promote_version(models_, "intents", import_one("old"), 1));
  const auto listed = list_bundles(models_);
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ(listed->front().state.name, "intents");
  EXPECT_EQ(listed->front().task, "classify");
  EXPECT_EQ(listed->front().labels, (Json{"order", "refund"}));
  EXPECT_GT(listed->front().bytes, 1000U);
}

TEST_F(BundleStore, WhatNoFlowCanServeIsRefusedAndLeavesNothing) {
  write_tiny_bundle(folder_ / "rating", {{"number"}, {{"money", "number"}}, "regress"});
  write_tiny_bundle(folder_ / "pairs", {{"no", "yes"}, {{"money", "yes"}}, "pair"});
  for (const auto& [which, what] :
       {std::pair("rating", "intents tells a number"), {"pairs", "intents judges pairs"}}) {
    const auto version = find_or_import(models_, "intents", folder_ / which);
    ASSERT_FALSE(version) << which;
    EXPECT_EQ(version.error().code, Code::kUnsupported);
    EXPECT_NE(version.error().message.find(what), std::string::npos) << version.error().message;
  }
  EXPECT_FALSE(SystemDisk().exists(models_ + "/intents"));
  const std::string version = import_bundle(models_, "stars", folder_ / "rating").value_or("");
  EXPECT_EQ(find_or_import(models_, "stars", version).error().code, Code::kUnsupported);
  EXPECT_EQ(find_or_import(models_, "intents", folder_ / "old").value_or(""), import_one("old"));
  EXPECT_EQ(find_or_import(models_, "intents", import_one("old")).value_or(""), import_one("old"));
}

// A bundle that is damaged leaves nothing behind, whatever its fault.
TEST_F(BundleStore, ADamagedBundleLeavesNothing) {
  SystemDisk disk;
  ASSERT_TRUE(write_file_atomic(disk, folder_ / "old/model.safetensors", "cut"));
  EXPECT_FALSE(import_bundle(models_, "intents", folder_ / "old"));
  EXPECT_FALSE(import_bundle(models_, "intents", folder_ / "nowhere"));
  EXPECT_FALSE(import_bundle(models_, "../intents", folder_ / "new"));
  EXPECT_FALSE(disk.exists(models_ + "/intents"));
  EXPECT_TRUE(list_bundles(models_)->empty());
}

TEST_F(BundleStore, ADamagedStateIsTold) {
  ASSERT_TRUE(promote_version(models_, "intents", import_one("old"), 1));
  SystemDisk disk;
  for (const char* text : {"[]", "{}", R"({"promoted":[{"version":"../x"}]})", "{"}) {
    ASSERT_TRUE(write_file_atomic(disk, models_ + "/intents/bundle.json", text));
    EXPECT_FALSE(read_bundle_state(models_, "intents")) << text;
  }
}

TEST_F(BundleStore, OldVersionsGo) {
  std::string first;
  for (std::size_t i = 0; i <= kVersionsMax; ++i) {
    const std::string which = "b" + std::to_string(i);
    write_tiny_bundle(
        folder_ / which,
        {{"order", "refund"}, {{"money", "refund"}}, "classify", static_cast<double>(i + 1)});
    const std::string version = import_one(which);
    if (first.empty()) first = version;
    ASSERT_TRUE(promote_version(models_, "intents", version, static_cast<std::int64_t>(i)));
  }
  EXPECT_FALSE(version_folder(models_, "intents", first));
  EXPECT_EQ(SystemDisk().list(models_ + "/intents/versions")->size(), kVersionsMax);
}
#endif

TEST(BundleStoreWithout, ABundleThatIsNotThere) {
  const TempFolder folder;
  EXPECT_EQ(read_bundle_state(folder / "models", "intents").error().code, Code::kNotFound);
  EXPECT_TRUE(list_bundles(folder / "models")->empty());
}

}  // namespace
}  // namespace qiao
