// SPDX-License-Identifier: Apache-2.0
// qiao-learn as people start it: what it says of an error, and how it ends.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "base/disk.h"
#include "base/json.h"
#include "base/testing/temp_folder.h"

namespace qiao::learn {
namespace {

class Program : public ::testing::Test {
 protected:
  struct Ended {
    int status = 0;
    std::string said;  // on the standard error
  };
  Ended run(const std::string& words, const std::string& language = "C.UTF-8") {
    const std::string said = folder_ / "said";
    const std::string command =
        "LC_ALL=" + language + " " + QIAO_LEARN_PROGRAM + " " + words + " > /dev/null 2> " + said;
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(said).value_or("")};
  }
  // Rows that are none, and what else the verb needs.
  std::string bad_data() {
    return "finetune --base none --dev none --out " + (folder_ / "out") + " --train " +
           folder_.write("bad.jsonl", "{}\n");
  }

  const qiao::testing::TempFolder folder_;
};

TEST_F(Program, SaysErrorsAsQiaoInBothLanguages) {
  EXPECT_TRUE(run(bad_data()).said.starts_with("error: " + (folder_ / "bad.jsonl:1")));
  EXPECT_TRUE(
      run(bad_data(), "zh_CN.UTF-8").said.starts_with("错误：" + (folder_ / "bad.jsonl:1")));
  EXPECT_TRUE(run("eval", "zh_CN.UTF-8").said.starts_with("错误："));
}

TEST_F(Program, AWrongCommandLineEndsWithTwo) {
  constexpr int kUsageStatus = 2;
  for (const char* words : {"", "nothing", "eval", "eval --bundle", "eval --colour blue",
                            "import --colour blue", "finetune --seed x", "compare --json=yes"}) {
    EXPECT_EQ(run(words).status, kUsageStatus) << words;
  }
  EXPECT_NE(run("eval --colour blue").said.find("See: qiao eval --help"), std::string::npos);
  EXPECT_NE(run("finetune").said.find("See: qiao train finetune --help"), std::string::npos);
  const Ended as_json = run("eval --json");
  EXPECT_EQ(as_json.status, kUsageStatus);
  EXPECT_EQ(parse_json(as_json.said).value()["error"]["code"], "invalid_argument");
  EXPECT_EQ(parse_json(as_json.said).value()["error"]["number"], 1);
}

TEST_F(Program, WrongDataKeepsItsClass) {
  EXPECT_EQ(run(bad_data()).status, 3);
  EXPECT_EQ(run("sample --bundle " + (folder_ / "nowhere")).status, 4);
  EXPECT_EQ(run("eval --help").status, 0);
}

}  // namespace
}  // namespace qiao::learn
