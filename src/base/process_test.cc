// SPDX-License-Identifier: Apache-2.0
#include "base/process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "base/disk.h"
#include "base/random.h"

namespace qiao {
namespace {

std::optional<int> run(std::vector<std::string> arguments) {
  ProcessOptions options;
  options.arguments = std::move(arguments);
  options.quiet = true;
  return ChildProcess::start(options).value()->wait(10'000);
}

TEST(ChildProcess, TellsTheExitStatus) {
  EXPECT_EQ(run({"true"}), 0);
  EXPECT_EQ(run({"sh", "-c", "exit 7"}), 7);
  EXPECT_EQ(run({"sh", "-c", "kill -9 $$"}), 128 + SIGKILL);
}

TEST(ChildProcess, MissingProgramIsNotFound) {
  ProcessOptions options;
  options.arguments = {"no-such-program-here"};
  const auto child = ChildProcess::start(options);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, Code::kNotFound);
  EXPECT_NE(child.error().message.find("no-such-program-here"), std::string::npos);
  options.arguments.clear();
  EXPECT_EQ(ChildProcess::start(options).error().code, Code::kInvalidArgument);
}

TEST(ChildProcess, GetsArgumentsAsTheyAreEnvironmentAndDirectory) {
  const std::string out = testing::TempDir() + "process-" + random_hex(6);
  ProcessOptions options;
  options.arguments = {"sh", "-c", R"(printf '%s|%s|%s' "$1" "$QIAO_T" "$PWD")", "sh", "a b;$x"};
  options.environment = {{"QIAO_T", "v=1"}};
  options.directory = "/";
  options.output_file = out;
  EXPECT_EQ(ChildProcess::start(options).value()->wait(10'000), 0);
  EXPECT_EQ(read_file(out).value(), "a b;$x|v=1|/");
  std::filesystem::remove(out);
}

// Starts `script` in a shell and waits for the line "ready" that it prints.
std::unique_ptr<ChildProcess> start_ready(const std::string& script) {
  const std::string out = testing::TempDir() + "process-" + random_hex(6);
  ProcessOptions options;
  options.arguments = {"sh", "-c", script};
  options.output_file = out;
  auto child = ChildProcess::start(options).value();
  for (int i = 0; i < 2'000 && read_file(out).value_or("") != "ready\n"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::filesystem::remove(out);
  return child;
}

bool group_lives(pid_t group) {
  for (int i = 0; i < 2'000 && ::kill(-group, 0) == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return ::kill(-group, 0) == 0;
}

// The child ignores SIGTERM, so the grace runs out; its own child is in the group and dies too.
TEST(ChildProcess, TerminateEndsTheWholeGroup) {
  auto child = start_ready("trap '' TERM; sleep 60 & echo ready; wait; sleep 60");
  EXPECT_EQ(child->poll(), std::nullopt);
  child->terminate(50);
  EXPECT_EQ(child->poll(), 128 + SIGKILL);
  EXPECT_FALSE(group_lives(child->pid()));
}

// The child obeys SIGTERM; its own child does not and must not stay.
TEST(ChildProcess, TerminateLeavesNoGrandchild) {
  auto child = start_ready("(trap '' TERM; echo ready; sleep 60) & wait");
  child->terminate(5'000);
  EXPECT_EQ(child->poll(), 128 + SIGTERM);
  EXPECT_FALSE(group_lives(child->pid()));
}

}  // namespace
}  // namespace qiao
