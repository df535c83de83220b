// SPDX-License-Identifier: Apache-2.0
// `qiao-learn pretrain --ranks`, as people start it.
#include "learn/training/ranks.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <thread>

#include "base/disk.h"
#include "base/json.h"
#include "base/testing/temp_folder.h"

namespace qiao::learn {
namespace {

using qiao::testing::TempFolder;

class RanksTest : public ::testing::Test {
 protected:
  void SetUp() override {
#if !__has_include(<gloo/algorithm.h>)
    GTEST_SKIP() << "built without Gloo's headers (libgloo-dev)";
#endif
    std::string text;
    for (int i = 0; i < 400; ++i) text += "春眠不觉晓abc\n";
    folder_.write("text.txt", text);
    ::setenv("LC_ALL", "C", 1);  // what it says is read below
  }
  // A test that failed leaves nothing running; the other ranks end with the first.
  void TearDown() override {
    for (const int child : running_) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
  }

  int start(const std::string& out, const std::vector<std::string>& more) {
    std::vector<std::string> words = {QIAO_LEARN_PROGRAM,
                                      "pretrain",
                                      "--text",
                                      folder_ / "text.txt",
                                      "--out",
                                      folder_ / out,
                                      "--layers",
                                      "1",
                                      "--width",
                                      "16",
                                      "--heads",
                                      "2",
                                      "--context",
                                      "12",
                                      "--batch",
                                      "8",
                                      "--threads",
                                      "1",
                                      "--fp32",
                                      "--write",
                                      "0",
                                      "--look-every",
                                      "10"};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    const std::string said = folder_ / (out + ".said");
    ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 2, said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child = 0;
    EXPECT_EQ(::posix_spawn(&child, QIAO_LEARN_PROGRAM, &files, nullptr, pointers.data(), environ),
              0);
    ::posix_spawn_file_actions_destroy(&files);
    if (child > 0) running_.insert(child);
    return child;
  }
  int end_of(int child) {
    int status = 0;
    running_.erase(child);
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // Until `run` has said it; false when it ended before.
  bool waits_for(const std::string& out, std::string_view words, int run) {
    while (said(out).find(words) == std::string::npos) {
      siginfo_t ended{};
      const int fault =
          ::waitid(P_PID, static_cast<id_t>(run), &ended, WEXITED | WNOHANG | WNOWAIT);
      if (fault != 0 || ended.si_pid != 0) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return true;
  }
  std::string said(const std::string& out) {
    return read_file(folder_ / (out + ".said")).value();
  }
  Json card(const std::string& out) {
    return parse_json(read_file(folder_ / (out + "/card.json")).value()).value();
  }
  // A process that `parent` started; 0 when there is none in time.
  static int child_of(int parent) {
    constexpr int kTriesMax = 600;
    for (int i = 0; i < kTriesMax; ++i) {
      std::ifstream file("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) +
                         "/children");
      int child = 0;
      if (file >> child) return child;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return 0;
  }

  TempFolder folder_;
  std::set<int> running_;
};

TEST_F(RanksTest, TwoHaveTheCurveOfOne) {
  ASSERT_EQ(end_of(start("one", {"--steps", "40"})), 0) << said("one");
  ASSERT_EQ(end_of(start("two", {"--steps", "40", "--ranks", "2"})), 0) << said("two");
  const Json one = card("one");
  const Json two = card("two");
  ASSERT_EQ(one["curve"].size(), 4U);
  ASSERT_EQ(two["curve"].size(), 4U);
  for (std::size_t i = 0; i < one["curve"].size(); ++i) {
    for (const char* key : {"loss", "held_out"}) {
      EXPECT_NEAR(one["curve"][i][key].get<double>(), two["curve"][i][key].get<double>(), 1e-5);
    }
  }
}

TEST_F(RanksTest, WhenOneDiesTheRunEndsAndCanGoOn) {
  const std::vector<std::string> much = {"--steps", "1000000", "--ranks", "2"};
  const int run = start("broken", much);
  const int other = child_of(run);
  ASSERT_NE(other, 0);
  ASSERT_TRUE(waits_for("broken", "step 10:", run)) << said("broken");  // both learn
  ASSERT_EQ(::kill(other, SIGKILL), 0);
  EXPECT_NE(end_of(run), 0);
  EXPECT_NE(said("broken").find("rank 1 ended"), std::string::npos) << said("broken");
  EXPECT_NE(said("broken").find("--resume"), std::string::npos) << said("broken");
  std::vector<std::string> more = much;
  more.insert(more.end(), {"--resume"});
  const int again = start("broken", more);
  ASSERT_TRUE(waits_for("broken", "going on at step", again)) << said("broken");
  ::kill(again, SIGINT);  // saves and stops, all ranks at one step
  EXPECT_NE(end_of(again), 0);
  EXPECT_NE(said("broken").find("and saved in"), std::string::npos) << said("broken");
}

}  // namespace
}  // namespace qiao::learn
