// SPDX-License-Identifier: Apache-2.0
#include "model/gguf/gguf_check.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/disk.h"
#include "base/testing/temp_folder.h"
#include "model/testing/tiny_gguf.h"

namespace qiao::model {
namespace {

using namespace qiao::testing;

class GgufCheck : public ::testing::Test {
 protected:
  GgufCheck() : path_(tiny_encoder(folder_)), bytes_(*read_file(path_)) {}
  Result<GgufSummary> check(std::string_view bytes) {
    return check_gguf(folder_.write("changed.gguf", bytes));
  }
  // Writes `value` over the bytes at `at`.
  template <class T>
  [[nodiscard]] std::string with(std::size_t at, T value) const {
    std::string bytes = bytes_;
    std::memcpy(bytes.data() + at, &value, sizeof value);
    return bytes;
  }

  TempFolder folder_;
  std::string path_;
  std::string bytes_;
};

TEST_F(GgufCheck, ReadsWhatTheHeaderSays) {
  const auto summary = check_gguf(path_);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->architecture, "bert");
  EXPECT_EQ(summary->context_length, 12U);
  EXPECT_EQ(summary->tensors, 21U);
  EXPECT_EQ(summary->bytes, bytes_.size());
}

TEST_F(GgufCheck, SaysWhatIsWrongAndWhatToDo) {
  EXPECT_EQ(check_gguf(folder_ / "absent.gguf").error().code, Code::kNotFound);
  EXPECT_EQ(check_gguf(folder_.path()).error().code, Code::kNotFound);
  const auto text = check("Dear model, please run.");
  EXPECT_EQ(text.error().code, Code::kCorrupt);
  EXPECT_NE(text.error().message.find("qiao model pull"), std::string::npos);
  EXPECT_EQ(check(with<std::uint32_t>(4, 9)).error().code, Code::kUnsupported);
  EXPECT_EQ(check(with<std::uint64_t>(8, UINT64_MAX)).error().code, Code::kCorrupt);
  EXPECT_EQ(check(with<std::uint64_t>(16, UINT64_MAX)).error().code, Code::kCorrupt);
  EXPECT_EQ(check(with<std::uint64_t>(24, UINT64_MAX / 2)).error().code, Code::kCorrupt);
}

TEST_F(GgufCheck, RefusesAFileThatIsCutAnywhere) {
  for (std::size_t size = 0; size < bytes_.size() - 32; size += size < 512 ? 7 : 499) {
    const auto summary = check(std::string_view(bytes_).substr(0, size));
    ASSERT_FALSE(summary) << size;
    ASSERT_EQ(summary.error().code, Code::kCorrupt) << size;
  }
}

// Goal: whatever a byte of the header becomes, the answer is a summary or an Error: no crash, no
// allocation that a number in the file decides. Method: flip bits one byte at a time.
TEST_F(GgufCheck, SurvivesEveryChangedByte) {
  int refused = 0;
  for (std::size_t at = 0; at < bytes_.size() && at < 4096; at += at < 256 ? 1 : 11) {
    for (const char change : {'\x01', '\x80', '\xFF'}) {
      std::string bytes = bytes_;
      bytes[at] = static_cast<char>(bytes[at] ^ change);
      refused += check(bytes) ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace qiao::model
