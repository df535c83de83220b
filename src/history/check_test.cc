// SPDX-License-Identifier: Apache-2.0
#include "history/check.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "base/disk.h"
#include "base/random.h"
#include "history/sqlite.h"

namespace qiao {
namespace {

using history::Database;

class HistoryCheckTest : public ::testing::Test {
 protected:
  HistoryCheckTest() : directory_(::testing::TempDir() + "qiao-check?#%-" + random_hex(6)) {
    std::filesystem::create_directories(directory_);
    path_ = directory_ + "/history.db";
  }
  ~HistoryCheckTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Database> written() {
    auto database = Database::open(path_, Database::Mode::kWrite);
    EXPECT_TRUE(database) << database.error().message;
    EXPECT_TRUE((*database)->run(
        "PRAGMA journal_mode = WAL; CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);"
        "CREATE INDEX i ON t (b);"
        "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5000)"
        "INSERT INTO t SELECT x, 'row ' || x FROM n;"));
    return std::move(*database);
  }
  std::set<std::string> names() {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_))
      names.insert(entry.path().filename().string());
    return names;
  }

  std::string directory_;
  std::string path_;
};

TEST_F(HistoryCheckTest, AMissingFileIsNoFault) {
  const auto check = check_history(path_);
  ASSERT_TRUE(check);
  EXPECT_FALSE(check->there);
}

TEST_F(HistoryCheckTest, ReadsAWholeFileAndLeavesNothingBehind) {
  written().reset();
  const std::string before = *read_file(path_);
  const auto names_before = names();
  const auto check = check_history(path_);
  ASSERT_TRUE(check) << check.error().message;
  EXPECT_TRUE(check->there);
  EXPECT_EQ(check->fault, "");
  EXPECT_EQ(*read_file(path_), before);
  EXPECT_EQ(names(), names_before);
}

TEST_F(HistoryCheckTest, ReadsAFileInUseWithItsWriteAheadLog) {
  const auto open = written();
  const auto names_before = names();
  EXPECT_EQ(check_history(path_)->fault, "");
  EXPECT_EQ(names(), names_before);
}

TEST_F(HistoryCheckTest, FindsAZeroedPage) {
  written().reset();
  const auto size = std::filesystem::file_size(path_);
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(size / 2 / 4096 * 4096));
  file << std::string(4096, '\0');
  file.close();
  const auto check = check_history(path_);
  ASSERT_TRUE(check) << check.error().message;
  EXPECT_NE(check->fault, "");
}

}  // namespace
}  // namespace qiao
