// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <utility>

#include "base/testing/temp_folder.h"
#include "cli/exit_status.h"

namespace qiao::cli {
namespace {

using testing::TempFolder;

struct Outcome {
  int status = 0;
  std::string out;
  std::string err;
};

Outcome run(const std::vector<std::string>& arguments, Language language = Language::kEnglish) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Session session;
  session.language = language;
  Outcome outcome;
  outcome.status = run_command_line(session, arguments);
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

// Stands in for qiao-learn while it lives.
class LearnStandIn {
 public:
  explicit LearnStandIn(const std::string& script) {
    const std::string program = folder_.write("qiao-learn", "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    ::setenv("QIAO_LEARN", program.c_str(), 1);
  }
  ~LearnStandIn() { ::unsetenv("QIAO_LEARN"); }
  LearnStandIn(const LearnStandIn&) = delete;
  LearnStandIn& operator=(const LearnStandIn&) = delete;

 private:
  const TempFolder folder_;
};

TEST(ExitStatus, OneForEachClassAndNoneTwice) {
  std::set<int> seen{kExitOk, kExitNegative, kExitUsage};
  for (int number = 1; number <= static_cast<int>(Code::kInternal); ++number)
    EXPECT_TRUE(seen.insert(exit_status(static_cast<Code>(number))).second);
  EXPECT_EQ(exit_status(Code::kInvalidArgument), 3);
  EXPECT_EQ(exit_status(Code::kUnavailable), 13);
  EXPECT_EQ(exit_status(Code::kInternal), 17);
}

TEST(CommandLine, HelpNamesEveryVerb) {
  const Outcome help = run({"--help"});
  EXPECT_EQ(help.status, kExitOk);
  for (const Command& command : all_commands()) {
    EXPECT_EQ(help.out.find("\n  " + command.name + " ") != std::string::npos, !command.hidden)
        << command.name;
  }
}

TEST(CommandLine, EveryVerbHasItsOwnHelpWithAnExample) {
  for (const Command& command : all_commands()) {
    if (command.hidden) continue;
    std::vector<std::string> words;
    const std::size_t space = command.name.find(' ');
    words.push_back(command.name.substr(0, space));
    if (space != std::string::npos) words.push_back(command.name.substr(space + 1));
    words.emplace_back("--help");
    const Outcome help = run(words);
    EXPECT_EQ(help.status, kExitOk) << command.name;
    EXPECT_NE(help.out.find("qiao " + command.name), std::string::npos) << help.out;
    EXPECT_NE(help.out.find(command.example), std::string::npos) << command.name;
    EXPECT_NE(help.out.find("--json"), std::string::npos) << command.name;
  }
}

TEST(CommandLine, ATypoNamesTheNearestVerb) {
  Outcome typo = run({"sevre"});
  EXPECT_EQ(typo.status, kExitUsage);
  EXPECT_NE(typo.err.find("serve"), std::string::npos) << typo.err;
  typo = run({"stream", "peak"});
  EXPECT_EQ(typo.status, kExitUsage);
  EXPECT_NE(typo.err.find("stream peek"), std::string::npos) << typo.err;
}

TEST(CommandLine, NothingAtAllIsAWrongUse) {
  EXPECT_EQ(run({}).status, kExitUsage);
  EXPECT_EQ(run({"stream"}).status, kExitUsage);
  EXPECT_EQ(run({"pub"}).status, kExitUsage);
  EXPECT_EQ(run({"version", "--nope"}).status, kExitUsage);
}

TEST(CommandLine, AShadowIsBegunOrStoppedNotBoth) {
  const Outcome both = run({"model", "shadow", "intents", "./new", "--stop"});
  EXPECT_EQ(both.status, exit_status(Code::kInvalidArgument));
  EXPECT_NE(both.err.find("--stop takes no bundle"), std::string::npos) << both.err;
}

TEST(CommandLine, AGivenNameIsOfOneModel) {
  const Outcome two = run({"model", "pull", "./a.gguf", "./b.gguf", "--name", "x"});
  EXPECT_EQ(two.status, exit_status(Code::kInvalidArgument));
  EXPECT_NE(two.err.find("--name is for one model"), std::string::npos) << two.err;
}

TEST(CommandLine, TextsComeInChineseToo) {
  const Outcome help = run({"--lang", "zh", "help", "pub"}, Language::kChinese);
  EXPECT_EQ(help.status, kExitOk);
  EXPECT_NE(help.out.find("发布消息"), std::string::npos) << help.out;
}

TEST(CommandLine, OptionsBeforeTheVerbCount) {
  const Outcome version = run({"--json", "version"});
  EXPECT_EQ(version.status, kExitOk);
  EXPECT_TRUE(parse_json(version.out)) << version.out;
}

TEST(CommandLine, AnErrorHasTheStatusOfItsClass) {
  const Outcome refused = run({"pub", "a.b", "x", "--server", "http://127.0.0.1:9", "--key", "k"});
  EXPECT_EQ(refused.status, exit_status(Code::kUnavailable));
  EXPECT_NE(refused.err.find("127.0.0.1:9"), std::string::npos) << refused.err;
  EXPECT_EQ(refused.out, "");
  const Outcome bad = run({"pub", "a..b", "x", "--server", "http://127.0.0.1:9", "--key", "k"});
  EXPECT_EQ(bad.status, exit_status(Code::kInvalidArgument));
}

// Training is another program's work; where that is not there, it is told.
TEST(CommandLine, WordsOfTrainingGoToTheOtherProgram) {
  ::setenv("QIAO_LEARN", "/nowhere/qiao-learn", 1);
  const Outcome missing = run({"eval", "--bundle", "x", "--data", "y"});
  EXPECT_EQ(missing.status, exit_status(Code::kUnsupported));
  EXPECT_NE(missing.err.find("qiao-learn"), std::string::npos) << missing.err;

  const LearnStandIn learn("echo \"$LC_ALL $*\"\nexit 9");
  const Outcome passed =
      run({"--lang", "zh", "train", "finetune", "--seed", "3"}, Language::kChinese);
  EXPECT_EQ(passed.status, 9);
  EXPECT_EQ(passed.out, "zh_CN.UTF-8 finetune --seed 3\n");
}

// A signal may reach `qiao` alone; the training must save all the same.
// A training that ends at a signal, says which, and is sent these in turn.
Outcome run_and_signal(const std::vector<int>& signals) {
  const TempFolder folder;
  const std::string ready = folder.path() + "/ready";
  const std::string program = folder.write(
      "qiao-learn", "#!/bin/sh\nfor s in INT TERM HUP; do trap \"echo $s; exit 7\" $s; done\n: > " +
                        ready + "\nwhile :; do sleep 0.05; done\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  ::setenv("QIAO_LEARN", program.c_str(), 1);
  std::thread other([&] {
    constexpr int kLooks = 500;
    for (int i = 0; i < kLooks && !std::filesystem::exists(ready); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    for (const int signal : signals) {
      ::kill(::getpid(), signal);
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  });
  Outcome stopped = run({"train", "finetune"});
  other.join();
  ::unsetenv("QIAO_LEARN");
  return stopped;
}

TEST(CommandLine, ATrainingIsToldOfSignals) {
  const auto before = std::signal(SIGHUP, SIG_DFL);
  const std::pair<int, const char*> all[] = {{SIGINT, "INT"}, {SIGTERM, "TERM"}, {SIGHUP, "HUP"}};
  for (const auto& [signal, name] : all) {
    const Outcome stopped = run_and_signal({signal});
    EXPECT_EQ(stopped.status, 7) << name;
    EXPECT_EQ(stopped.out, std::string(name) + "\n");
  }
  std::signal(SIGHUP, before);
}

TEST(CommandLine, UnderNohupATrainingOutlivesTheTerminal) {
  const auto before = std::signal(SIGHUP, SIG_IGN);
  EXPECT_EQ(run_and_signal({SIGHUP, SIGTERM}).out, "TERM\n");
  EXPECT_EQ(std::signal(SIGHUP, before), SIG_IGN);
}

TEST(CommandLine, WithJsonAnErrorIsJsonToo) {
  const Outcome refused =
      run({"pub", "a.b", "x", "--json", "--server", "http://127.0.0.1:9", "--key", "k"});
  const auto json = parse_json(refused.err);
  ASSERT_TRUE(json) << refused.err;
  EXPECT_EQ((*json)["error"]["code"], "unavailable");
}

TEST(CommandLine, CompletionKnowsVerbsAndOptions) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const Outcome script = run({"completion", shell});
    EXPECT_EQ(script.status, kExitOk);
    EXPECT_NE(script.out.find("peek"), std::string::npos) << shell;
    EXPECT_NE(script.out.find("conversation"), std::string::npos) << shell;
    EXPECT_EQ(script.out.find("worker"), std::string::npos) << "hidden verbs stay hidden";
  }
  EXPECT_EQ(run({"completion", "csh"}).status, exit_status(Code::kInvalidArgument));
}

}  // namespace
}  // namespace qiao::cli
