// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>

#include "base/testing/temp_folder.h"
#include "learn/commands/commands.h"
#include "learn/testing/chat_letters.h"

namespace qiao::learn {
namespace {

class Export : public ::testing::Test {
 protected:
  void SetUp() override {
    const LanguageBundle bundle = testing::chance_decoder(
        testing::tiny_shape(Architecture::kLlama),
        std::make_shared<CharacterCodec>(Characters::of_text("春眠不觉晓").value()));
    ASSERT_TRUE(disk_.make_directories(folder_ / "poet"));
    ASSERT_TRUE(save_language_bundle(disk_, folder_ / "poet", bundle));
  }
  Status run() { return run_export(session_, {"--bundle", folder_ / "poet", "--out", out_}); }
  std::vector<std::string> names() { return disk_.list(folder_.path()).value(); }

  const qiao::testing::TempFolder folder_;
  SystemDisk disk_;
  const std::string out_ = folder_ / "poet.gguf";
  std::atomic<bool> stop_{false};
  const Session session_{Language::kEnglish, false, stop_};
};

TEST_F(Export, AStoppedOneLeavesNothing) {
  stop_ = true;
  EXPECT_EQ(run().error().code, Code::kCancelled);
  EXPECT_EQ(names(), std::vector<std::string>{"poet"});
}

TEST_F(Export, AStoppedSampleIsCancelled) {
  stop_ = true;
  const Status done = run_sample(session_, {"--bundle", folder_ / "poet", "--prompt", "春"});
  EXPECT_EQ(done.error().code, Code::kCancelled);
}

#ifdef QIAO_TEST_GGUF
TEST_F(Export, AWholeOneHasItsNameAlone) {
  ::testing::internal::CaptureStdout();
  const Status done = run();
  const std::string printed = ::testing::internal::GetCapturedStdout();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(parse_json(printed).value()["file"], out_);
  EXPECT_EQ(names(), (std::vector<std::string>{"poet", "poet.gguf"}));
}
#endif

TEST_F(Export, WhereNoFolderCanBeIsToldFirst) {
  const std::string file = folder_.write("file", "");
  const Status done =
      run_export(session_, {"--bundle", folder_ / "poet", "--out", file + "/poet.gguf"});
  EXPECT_EQ(done.error().code, Code::kInvalidArgument);
  EXPECT_NE(done.error().message.find(file + " is no folder"), std::string::npos);
}

}  // namespace
}  // namespace qiao::learn
