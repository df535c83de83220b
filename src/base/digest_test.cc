// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/disk.h"
#include "base/random.h"

namespace qiao {
namespace {

// The vectors of RFC 3720 B.4, and the check value every CRC catalogue gives for "123456789".
TEST(Crc32c, PublishedVectors) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  std::string rising(32, '\0');
  std::iota(rising.begin(), rising.end(), '\0');
  EXPECT_EQ(crc32c(rising), 0x46dd794eU);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(Crc32c, SeedContinuesTheSumAtEveryCut) {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    EXPECT_EQ(crc32c(text.substr(cut), crc32c(text.substr(0, cut))), crc32c(text)) << cut;
}

// FIPS 180-4 examples.
TEST(Sha256, PublishedVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abc").size(), 32U);
}

TEST(Sha256, FileEqualsBytes) {
  SystemDisk disk;
  const std::string path = testing::TempDir() + "sha-" + random_hex(6);
  const std::string bytes(3'000'001, 'x');
  ASSERT_TRUE(write_file_atomic(disk, path, bytes));
  EXPECT_EQ(sha256_file_hex(path).value(), sha256_hex(bytes));
  ASSERT_TRUE(disk.remove(path));
  EXPECT_EQ(sha256_file_hex(path).error().code, Code::kNotFound);
}

TEST(EqualConstantTime, ComparesWholeTexts) {
  EXPECT_TRUE(equal_constant_time("key", "key"));
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_FALSE(equal_constant_time("key", "kez"));
  EXPECT_FALSE(equal_constant_time("key", "keyk"));
  EXPECT_FALSE(equal_constant_time("keykey", "key"));
  EXPECT_FALSE(equal_constant_time("a", ""));
  EXPECT_FALSE(equal_constant_time("", "a"));
}

}  // namespace
}  // namespace qiao
