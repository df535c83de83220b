// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <gtest/gtest.h>

#include "base/testing/manual_clock.h"

namespace qiao::cli {
namespace {

TEST(Progress, BytesForPeople) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1'234), "1.2 kB");
  EXPECT_EQ(human_bytes(986'048'768), "986 MB");
  EXPECT_EQ(human_bytes(1'117'320'736), "1.1 GB");
}

TEST(Progress, TimeForPeople) {
  EXPECT_EQ(human_seconds(8.6), "0:09");
  EXPECT_EQ(human_seconds(760), "12:40");
  EXPECT_EQ(human_seconds(3'723), "1:02:03");
  EXPECT_EQ(human_seconds(-1), "0:00");
}

TEST(Progress, TheBarShowsShareSpeedAndTimeLeft) {
  EXPECT_EQ(progress_line("fetch", 50'000'000, 100'000'000, 5e6),
            "fetch    [############------------]  50%  50.0 MB / 100 MB  5.0 MB/s  0:10");
  EXPECT_EQ(progress_line("fetch", 1'500, 0, 0), "fetch    1.5 kB");
  EXPECT_EQ(progress_line("verify", 10, 5, 0),
            "verify   [########################] 100%  10 B / 5 B");
}

// A log file gets one line for each step, not one for each tick.
TEST(Progress, WithoutATerminalEachStepIsSaidOnce) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* file = ::open_memstream(&text, &size);
  {
    Output output(file, false, false);
    testing::ManualClock clock;
    Progress progress(output, clock);
    progress.show("fetch", 1, 10);
    progress.show("fetch", 5, 10);
    progress.show("verify", 1, 10);
  }
  std::fclose(file);
  EXPECT_STREQ(text, "fetch\nverify\n");
  std::free(text);
}

}  // namespace
}  // namespace qiao::cli
