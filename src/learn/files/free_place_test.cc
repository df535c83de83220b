// SPDX-License-Identifier: Apache-2.0
#include "learn/files/free_place.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/testing/temp_folder.h"

namespace qiao::learn {
namespace {

TEST(FreePlace, IsInAFolderThatIsMade) {
  const qiao::testing::TempFolder folder;
  SystemDisk disk;
  EXPECT_TRUE(check_free(disk, folder / "new"));
  EXPECT_TRUE(check_free(disk, "surely-not-here"));  // of the folder we are in
  const std::string file = folder.write("file", "");
  EXPECT_EQ(check_free(disk, file).error().code, Code::kAlreadyExists);
  EXPECT_TRUE(make_folder_of(disk, file));
  EXPECT_TRUE(check_free(disk, folder / "not/yet/new"));
  EXPECT_TRUE(disk.exists(folder / "not/yet"));
  EXPECT_FALSE(disk.exists(folder / "not/yet/new"));
  EXPECT_EQ(check_free(disk, file + "/new").error().code, Code::kInvalidArgument);
}

TEST(FreePlace, IsInAFolderThatTakesFiles) {
  if (::geteuid() == 0) GTEST_SKIP() << "root writes everywhere";
  namespace fs = std::filesystem;
  const qiao::testing::TempFolder folder;
  SystemDisk disk;
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_EQ(check_free(disk, folder / "new").error().code, Code::kPermission);
  fs::permissions(folder.path(), fs::perms::owner_all);
}

}  // namespace
}  // namespace qiao::learn
