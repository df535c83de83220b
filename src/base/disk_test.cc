// SPDX-License-Identifier: Apache-2.0
#include "base/disk.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/random.h"

namespace qiao {
namespace {

// A directory of its own for each test.
class DiskTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(disk.make_directories(root)); }
  void TearDown() override { std::filesystem::remove_all(root); }
  std::string at(const std::string& name) const { return root + "/" + name; }

  SystemDisk disk;
  std::string root = testing::TempDir() + "disk-" + random_hex(6);
};

TEST_F(DiskTest, WritesReadsTruncates) {
  auto file = disk.open(at("a"), OpenMode::kCreateNew).value();
  ASSERT_TRUE(file->write_at(0, "hello"));
  ASSERT_TRUE(file->write_at(8, "world"));
  EXPECT_EQ(file->size().value(), 13U);
  EXPECT_EQ(file->read_at(0, 100).value(), std::string("hello\0\0\0world", 13));
  EXPECT_EQ(file->read_at(13, 5).value(), "");
  ASSERT_TRUE(file->truncate(2));
  EXPECT_EQ(file->read_at(0, 100).value(), "he");
  EXPECT_TRUE(file->sync_data());
}

TEST_F(DiskTest, PreallocateKeepsTheSize) {
  auto file = disk.open(at("a"), OpenMode::kCreateNew).value();
  ASSERT_TRUE(file->preallocate(1 << 20));
  EXPECT_EQ(file->size().value(), 0U);
}

TEST_F(DiskTest, ErrorsHaveAClassAndNameThePath) {
  const auto missing = disk.open(at("none"), OpenMode::kRead);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_NE(missing.error().message.find(at("none")), std::string::npos);
  ASSERT_TRUE(disk.open(at("a"), OpenMode::kCreateNew));
  EXPECT_EQ(disk.open(at("a"), OpenMode::kCreateNew).error().code, Code::kAlreadyExists);
  EXPECT_EQ(disk.list(at("none")).error().code, Code::kNotFound);
  EXPECT_EQ(disk.remove(at("none")).error().code, Code::kNotFound);
}

// /dev/full answers every write with ENOSPC.
TEST_F(DiskTest, FullDiskIsUnavailableAndSaysSo) {
  auto file = disk.open("/dev/full", OpenMode::kReadWrite);
  if (!file) GTEST_SKIP() << "no /dev/full here";
  const Status status = (*file)->write_at(0, "x");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kUnavailable);
  EXPECT_NE(status.error().message.find("/dev/full"), std::string::npos);
  EXPECT_NE(status.error().message.find("space"), std::string::npos);
}

TEST_F(DiskTest, ListIsSorted) {
  for (const char* name : {"b", "c", "a"}) ASSERT_TRUE(disk.open(at(name), OpenMode::kCreateNew));
  EXPECT_EQ(disk.list(root).value(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(DiskTest, AtomicWriteReplacesAndLeavesNothingBeside) {
  ASSERT_TRUE(write_file_atomic(disk, at("f"), "old"));
  ASSERT_TRUE(write_file_atomic(disk, at("f"), "new"));
  EXPECT_EQ(read_file(at("f")).value(), "new");
  EXPECT_EQ(disk.list(root).value(), std::vector<std::string>{"f"});
  struct stat info {};
  ASSERT_EQ(::stat(at("f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(DiskTest, ReadFileHoldsItsBound) {
  ASSERT_TRUE(write_file_atomic(disk, at("f"), std::string(100, 'x')));
  EXPECT_EQ(read_file(at("f"), 100).value().size(), 100U);
  EXPECT_EQ(read_file(at("f"), 99).error().code, Code::kInvalidArgument);
  EXPECT_EQ(read_file(root).error().code, Code::kInvalidArgument);
}

TEST_F(DiskTest, OneProcessHoldsADirectory) {
  auto first = DirectoryLock::acquire(root);
  ASSERT_TRUE(first);
  const auto second = DirectoryLock::acquire(root);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kConflict);
  EXPECT_NE(second.error().message.find(root), std::string::npos);
  first->reset();
  EXPECT_TRUE(DirectoryLock::acquire(root));
}

}  // namespace
}  // namespace qiao
