// SPDX-License-Identifier: Apache-2.0
#include "learn/data/gzip_reader.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/testing/temp_folder.h"

namespace qiao::learn {
namespace {

using qiao::testing::TempFolder;

TEST(ReadGzipFile, NamesWhatIsNoFile) {
  const TempFolder folder;
  folder.write("corpus/index.json", "{}");
  const auto of_folder = read_gzip_file(folder / "corpus", 100);
  EXPECT_EQ(of_folder.error().code, Code::kInvalidArgument);
  EXPECT_NE(of_folder.error().message.find("corpus is a folder"), std::string::npos);
  EXPECT_EQ(read_gzip_file(folder / "nothing", 100).error().code, Code::kNotFound);
}

TEST(ReadGzipFile, ReadsNoMoreThanItMay) {
  const TempFolder folder;
  folder.write("text", "0123456789");
  EXPECT_EQ(read_gzip_file(folder / "text", 10).value(), "0123456789");
  EXPECT_EQ(read_gzip_file(folder / "text", 9).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace qiao::learn
