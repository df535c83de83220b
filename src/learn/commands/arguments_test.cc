// SPDX-License-Identifier: Apache-2.0
#include "learn/commands/arguments.h"

#include <gtest/gtest.h>

namespace qiao::learn {
namespace {

struct Words {
  std::int64_t steps = 2000;
  std::int64_t epochs = 0;
  double rate = 2e-4;
  double by_task = -1;
  std::string kind = "bpe";
  bool resume = false;
};

Arguments declared(Words& words) {
  Arguments arguments("train thing");
  arguments.add("--steps", "N", words.steps, Text::kLearnStepsHelp);
  arguments.add("--epochs", "N", words.epochs, Text::kLearnEpochsHelp);
  arguments.add("--rate", "X", words.rate, Text::kLearnRateHelp);
  arguments.add("--by-task", "X", words.by_task, Text::kLearnRateHelp);
  arguments.add("--kind", "KIND", words.kind, Text::kLearnKindHelp);
  arguments.add_flag("--resume", words.resume, Text::kLearnResumeHelp);
  return arguments;
}

std::string error_of(const std::vector<std::string>& words) {
  Words into;
  const Status parsed = declared(into).parse(words);
  return parsed ? "" : parsed.error().message;
}

TEST(Arguments, FillTheirVariables) {
  Words words;
  Arguments arguments = declared(words);
  ASSERT_TRUE(arguments.parse({"--steps", "7", "--rate=1e-3", "--resume", "--json"}));
  EXPECT_EQ(words.steps, 7);
  EXPECT_DOUBLE_EQ(words.rate, 1e-3);
  EXPECT_TRUE(words.resume);
  EXPECT_EQ(words.kind, "bpe");
}

TEST(Arguments, ASlashBehindAFolderIsNoPartOfItsName) {
  std::string folder;
  std::string text;
  Arguments arguments("train thing");
  arguments.add("--out", "BUNDLE", folder, Text::kLearnOutHelp, true);
  arguments.add("--separator", "TEXT", text, Text::kLearnSeparatorHelp);
  ASSERT_TRUE(arguments.parse({"--out", "made//", "--separator", "/"}));
  EXPECT_EQ(folder, "made");
  EXPECT_EQ(text, "/");
  EXPECT_EQ(arguments.parse({"--out="}).error().message, "--out needs a value");
}

TEST(Arguments, TheHelpTellsWhatAnOptionIsWhenItIsNotGiven) {
  Words words;
  const std::string help = declared(words).help(Language::kEnglish);
  EXPECT_NE(help.find("steps (2000)\n"), std::string::npos) << help;
  EXPECT_NE(help.find("(0.0002)\n"), std::string::npos) << help;
  EXPECT_NE(help.find("(bpe)\n"), std::string::npos) << help;
  EXPECT_EQ(help.find("(0)"), std::string::npos) << help;
  EXPECT_EQ(help.find("(-1)"), std::string::npos) << help;
  EXPECT_NE(declared(words).help(Language::kChinese).find("（2000）\n"), std::string::npos);
}

TEST(Arguments, RefuseWhatTheyCannotTake) {
  EXPECT_EQ(error_of({"--resume=false"}), "--resume takes no value");
  for (const char* number : {"nan", "inf", "1x", ""}) {
    EXPECT_NE(error_of({"--rate", number}).find("--rate takes a number"), std::string::npos)
        << number;
  }
  EXPECT_EQ(error_of({"--steps"}), "--steps needs a value");
  EXPECT_NE(error_of({"--step", "3"}).find("--step"), std::string::npos);
  Words words;
  EXPECT_EQ(declared(words).parse({"--step"}).error().code, kUsage);
}

}  // namespace
}  // namespace qiao::learn
