// SPDX-License-Identifier: Apache-2.0
#include "cli/init_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "flow/config/flow_config.h"
#include "flow/replay/script.h"

namespace qiao::cli {
namespace {

// What `qiao init` writes must be an example to follow: valid, and its scripts pass.
TEST(InitFiles, MakeAValidFlowWhoseScriptsPass) {
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "init-shop";
  std::filesystem::remove_all(folder);
  for (const InitFile& file : init_files("shop")) {
    std::filesystem::create_directories((folder / file.path).parent_path());
    std::ofstream(folder / file.path) << file.text;
  }
  const auto config = load_flow(folder.string());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->name, "shop");
  EXPECT_EQ(config->input, "shop.in");
  const auto outcomes = run_scripts(folder.string(), {}, {}, {});
  ASSERT_TRUE(outcomes) << outcomes.error().message;
  EXPECT_GE(outcomes->size(), 5u);
  for (const ScriptOutcome& outcome : *outcomes) {
    EXPECT_EQ(outcome.verdict, ScriptOutcome::Verdict::kPassed)
        << outcome.name << ": " << (outcome.details.empty() ? "" : outcome.details[0]);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace qiao::cli
