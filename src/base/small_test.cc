// SPDX-License-Identifier: Apache-2.0
// The small parts of base: result, clock, random, i18n, metrics, logging.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/join.h"
#include "base/logging.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "base/scratch_folder.h"
#include "base/testing/manual_clock.h"
#include "base/testing/manual_executor.h"

namespace qiao {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return invalid_argument("odd");
  return n / 2;
}
Result<int> quarter(int n) {
  QIAO_ASSIGN(const int h, half(n));
  QIAO_TRY(half(h));
  return h / 2;
}

TEST(Join, PutsTextsBehindOneAnother) {
  EXPECT_EQ(join(std::set<std::string>{"b", "a"}, ", "), "a, b");
  EXPECT_EQ(join(std::vector<std::string>{"one"}, ", "), "one");
  EXPECT_EQ(join(std::vector<std::string>{"", "x"}, "\n"), "\nx");
  EXPECT_EQ(join(std::vector<std::string>(), ", "), "");
}

TEST(Result, MacrosReturnTheFirstError) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_EQ(quarter(7).error().code, Code::kInvalidArgument);
  EXPECT_EQ(internal("a").with("in b").message, "a (in b)");
}

TEST(Result, EveryCodeHasItsOwnName) {
  std::set<std::string_view> names;
  for (int code = 1; code <= 15; ++code) names.insert(name_of(static_cast<Code>(code)));
  EXPECT_EQ(names.size(), 15U);
  EXPECT_EQ(name_of(Code::kModelFailed), "model_failed");
}

TEST(SystemClock, SteadyDoesNotGoBack) {
  const SystemClock clock;
  EXPECT_GT(clock.wall_ms(), 1'700'000'000'000);
  const auto first = clock.steady_us();
  EXPECT_GE(clock.steady_us(), first);
}

// Reference values of xoshiro256** seeded by SplitMix64(0), from the authors' published C code.
TEST(Rng, IsReproducibleAndUniform) {
  Rng a(42);
  Rng b(42);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next(), b.next());
  EXPECT_EQ(Rng(0).next(), 0x99ec5f36cb75f2b4U);
  std::vector<int> counts(10);
  for (int i = 0; i < 100'000; ++i) ++counts[a.below(10)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);
  for (int i = 0; i < 1'000; ++i) {
    const double unit = a.unit();
    EXPECT_TRUE(unit >= 0 && unit < 1);
  }
}

TEST(IdMaker, RisesAlsoWithinAMillisecondAndWhenTheClockGoesBack) {
  testing::ManualClock clock;
  IdMaker ids(clock, 7);
  std::string last;
  for (int i = 0; i < 10'000; ++i) {
    if (i == 5'000) clock.advance_ms(-10'000);
    if (i % 1'000 == 999) clock.advance_ms(1);
    const std::string id = ids.next();
    ASSERT_EQ(id.size(), 26U);
    ASSERT_LT(last, id);
    last = id;
  }
}

// Time part of the specification's own example: 1469918176385 ms is 01ARYZ6S41.
TEST(IdMaker, WritesTheTimeAsTheSpecificationDoes) {
  const testing::ManualClock clock(1'469'918'176'385);
  IdMaker ids(clock, 1);
  EXPECT_EQ(ids.next().substr(0, 10), "01ARYZ6S41");
}

TEST(RandomHex, HasTheLengthAskedFor) {
  EXPECT_EQ(random_hex(16).size(), 32U);
  EXPECT_NE(random_hex(16), random_hex(16));
}

TEST(Tr, FillsPlacesInBothLanguages) {
  EXPECT_EQ(tr(Language::kEnglish, Text::kDone), "done");
  EXPECT_EQ(tr(Language::kChinese, Text::kDone), "完成");
  EXPECT_EQ(tr(Language::kEnglish, Text::kFlowAsk, {"phone {0}"}),
            "Please tell me your phone {0}.");
  EXPECT_EQ(tr(Language::kEnglish, Text::kFlowAsk), "Please tell me your .");
}

// A row with a place in one language has it in the other.
TEST(Tr, BothLanguagesUseTheSamePlaces) {
  constexpr int kRows = 0
#define QIAO_TEXT(id, en, zh) +1
#include "base/messages.inc"
#undef QIAO_TEXT
      ;
  for (int row = 0; row < kRows; ++row) {
    for (int place = 0; place < 10; ++place) {
      std::vector<std::string> args(10);
      const std::string mark = "\x01";
      std::string_view a[10] = {};
      a[place] = mark;
      const auto fill = [&](Language language) {
        return tr(language, static_cast<Text>(row),
                  {a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]});
      };
      EXPECT_EQ(fill(Language::kEnglish).find(mark) == std::string::npos,
                fill(Language::kChinese).find(mark) == std::string::npos)
          << fill(Language::kEnglish);
    }
  }
}

TEST(Metrics, PrintsPrometheusText) {
  Metrics metrics;
  metrics.counter("q_total", "All of it.", "topic=\"a\"").add(3);
  metrics.counter("q_total", "All of it.", "topic=\"b\"").add();
  EXPECT_EQ(&metrics.counter("q_total", "", "topic=\"a\""),
            &metrics.counter("q_total", "", "topic=\"a\""));
  metrics.gauge("q_depth", "Depth.", [] { return 2.5; });
  Histogram& histogram = metrics.histogram("q_seconds", "Time.");
  histogram.observe(0.0002);
  histogram.observe(100);
  const std::string text = metrics.text();
  EXPECT_NE(text.find("# TYPE q_total counter\nq_total{topic=\"a\"} 3\nq_total{topic=\"b\"} 1\n"),
            std::string::npos);
  EXPECT_NE(text.find("# TYPE q_depth gauge\nq_depth 2.5\n"), std::string::npos);
  EXPECT_NE(text.find("q_seconds_bucket{le=\"0.0001\"} 0\n"), std::string::npos);
  EXPECT_NE(text.find("q_seconds_bucket{le=\"0.00025\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("q_seconds_bucket{le=\"+Inf\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("q_seconds_count 2\n"), std::string::npos);
}

TEST(Logging, KnowsItsLevels) {
  EXPECT_EQ(parse_log_level("warn").value(), LogLevel::kWarn);
  EXPECT_EQ(parse_log_level("loud").error().code, Code::kInvalidArgument);
}

TEST(ManualExecutor, TimersFireInOrderWhileTheClockMoves) {
  testing::ManualClock clock(1'000);
  testing::ManualExecutor executor(clock);
  std::vector<std::int64_t> seen;
  executor.post_after(20, [&] { seen.push_back(clock.wall_ms()); });
  executor.post_after(10, [&] {
    seen.push_back(clock.wall_ms());
    executor.post_after(5, [&] { seen.push_back(clock.wall_ms()); });
  });
  executor.advance_ms(100);
  EXPECT_EQ(seen, (std::vector<std::int64_t>{1'010, 1'015, 1'020}));
  EXPECT_EQ(clock.wall_ms(), 1'100);
}

TEST(ScratchFolder, GoesWithWhatIsInIt) {
  std::string path;
  {
    const ScratchFolder folder;
    path = folder.path();
    EXPECT_FALSE(std::filesystem::exists(path));
    std::filesystem::create_directories(path + "/inner");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

// Whoever makes the folder gets the error.
TEST(ScratchFolder, ATemporaryFolderThatIsNotThereThrowsNothing) {
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("TMPDIR", "/nowhere/at/all", 1);
  EXPECT_NO_THROW(ScratchFolder());
  before == nullptr ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", kept.c_str(), 1);
}

}  // namespace
}  // namespace qiao
