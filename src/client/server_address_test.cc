// SPDX-License-Identifier: Apache-2.0
#include "client/server_address.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace qiao {
namespace {

class FindServer : public ::testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("QIAO_SERVER");
    ::unsetenv("QIAO_KEY");
    directory_ = ::testing::TempDir() + "find-server";
    std::filesystem::create_directories(directory_);
    std::ofstream(directory_ + "/server.json") << R"({"url":"http://127.0.0.1:7411","key":"k"})";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
};

TEST_F(FindServer, InTheDataDirectory) {
  const auto found = find_server({}, directory_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->url, "http://127.0.0.1:7411");
  EXPECT_EQ(found->key, "k");
}

TEST_F(FindServer, WhatIsGivenWins) {
  ::setenv("QIAO_SERVER", "http://elsewhere:1", 1);
  ::setenv("QIAO_KEY", "e", 1);
  auto found = find_server({"http://here:2/", "h"}, directory_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->url, "http://here:2");
  EXPECT_EQ(found->key, "h");
  found = find_server({}, directory_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->url, "http://elsewhere:1");
  EXPECT_EQ(found->key, "e");
  ::unsetenv("QIAO_SERVER");
  ::unsetenv("QIAO_KEY");
}

// The key of one server is not sent to another.
TEST_F(FindServer, TheKeyBelongsToItsUrl) {
  auto found = find_server({"http://other:3", ""}, directory_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->key, "");
  found = find_server({"127.0.0.1:7411", ""}, directory_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->key, "k");
}

TEST_F(FindServer, NoneIsAnErrorThatSaysWhatToDo) {
  std::filesystem::remove(directory_ + "/server.json");
  const auto found = find_server({}, directory_);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kUnavailable);
  EXPECT_NE(found.error().message.find("qiao serve"), std::string::npos);
}

}  // namespace
}  // namespace qiao
