// SPDX-License-Identifier: Apache-2.0
#include "cli/line_reader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

namespace qiao::cli {
namespace {

class LineReaderTest : public ::testing::Test {
 protected:
  LineReaderTest() { EXPECT_EQ(::pipe(ends_), 0); }
  ~LineReaderTest() override {
    ::close(ends_[0]);
    close_writer();
  }
  void write(const std::string& text) {
    ASSERT_EQ(::write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  [[nodiscard]] int read_end() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
};

TEST_F(LineReaderTest, GivesLinesAndTheRest) {
  const Interrupts interrupts;
  LineReader lines(read_end(), interrupts);
  write("一\r\n\ntwo\nrest");
  close_writer();
  std::vector<std::string> seen;
  while (auto line = lines.next()) seen.push_back(*line);
  EXPECT_EQ(seen, (std::vector<std::string>{"一", "", "two", "rest"}));
  EXPECT_TRUE(lines.ended());
}

TEST_F(LineReaderTest, TakesWhatIsThereWithoutWaiting) {
  const Interrupts interrupts;
  LineReader lines(read_end(), interrupts);
  EXPECT_FALSE(lines.waiting());
  write("a\nb");
  EXPECT_EQ(lines.waiting(), "a");
  EXPECT_FALSE(lines.waiting());  // not a whole line yet
  write("c\n");
  EXPECT_EQ(lines.waiting(), "bc");
  close_writer();
  EXPECT_FALSE(lines.waiting());
  EXPECT_TRUE(lines.ended());
}

TEST_F(LineReaderTest, KnowsTheEndWithoutWaiting) {
  const Interrupts interrupts;
  LineReader lines(read_end(), interrupts);
  EXPECT_FALSE(lines.ended());
  write("a\n");
  EXPECT_FALSE(lines.ended());
  EXPECT_EQ(lines.next(), "a");
  close_writer();
  EXPECT_TRUE(lines.ended());
}

TEST_F(LineReaderTest, ASignalEndsTheWait) {
  const Interrupts interrupts;
  LineReader lines(read_end(), interrupts);
  std::jthread sender([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ::kill(::getpid(), SIGTERM);
  });
  EXPECT_FALSE(lines.next());
  EXPECT_FALSE(lines.ended());
}

TEST(Interrupts, AWatcherAsksForAStopAndTakesTheSignal) {
  Interrupts interrupts;
  const StopOnInterrupt stop(interrupts);
  EXPECT_FALSE(stop.stopped());
  ::kill(::getpid(), SIGTERM);
  for (int i = 0; i < 200 && !stop.stopped(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(stop.stopped());
  EXPECT_FALSE(interrupts.wait(0));
}

}  // namespace
}  // namespace qiao::cli
