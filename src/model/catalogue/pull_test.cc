// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "base/digest.h"
#include "base/disk.h"
#include "base/testing/temp_folder.h"
#include "model/catalogue/catalogue.h"
#include "model/testing/fake_http.h"

namespace qiao {
namespace {

using namespace qiao::testing;

const std::string kModel = "GGUF" + std::string(200'000, 'm');

class Pull : public ::testing::Test {
 protected:
  // An entry with one file at `place`, whose hash is known.
  static CatalogueEntry entry_at(const std::string& place) {
    auto entry = describe_place(place, "tiny").value();
    entry.files[0] = {"model.gguf", kModel.size(), sha256_hex(kModel)};
    entry.bytes = kModel.size();
    entry.sha256 = entry.files[0].sha256;
    return entry;
  }
  Result<std::string> pull(const CatalogueEntry& entry, std::stop_token stop = {}) {
    return pull_model(entry, models(), {}, std::move(stop));
  }
  [[nodiscard]] std::string models() const { return folder_ / "models"; }
  [[nodiscard]] bool nothing_installed() const { return list_models(models())->empty(); }

  TempFolder folder_;
};

// The bytes that a request with `Range: bytes=N-` asks for.
HttpScript range_reply(const HttpAsked& asked, const std::string& file) {
  const auto range = asked.headers.find("range");
  if (range == asked.headers.end()) return http_reply(200, file, "ETag: \"1\"\r\n");
  const auto from = std::stoul(range->second.substr(6));
  const auto all = std::to_string(file.size());
  return http_reply(206, file.substr(from),
                    "ETag: \"1\"\r\nContent-Range: bytes " + std::to_string(from) + "-" +
                        std::to_string(file.size() - 1) + "/" + all + "\r\n");
}

TEST_F(Pull, AFileOfOnesOwnBecomesAModel) {
  const auto entry = describe_place(folder_.write("My Model.gguf", kModel), "").value();
  EXPECT_EQ(entry.name, "My-Model");
  const auto path = pull(entry);
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_EQ(*read_file(*path), kModel);
  const auto installed = list_models(models()).value();
  ASSERT_EQ(installed.size(), 1U);
  EXPECT_EQ(installed[0].name, "My-Model");
  EXPECT_EQ(installed[0].bytes, kModel.size());
  EXPECT_TRUE(verify_model(models(), "My-Model"));
  EXPECT_TRUE(remove_model(models(), "My-Model"));
  EXPECT_TRUE(nothing_installed());
  EXPECT_EQ(remove_model(models(), "My-Model").error().code, Code::kNotFound);
}

TEST_F(Pull, WhatIsThereIsNotFetchedAgain) {
  FakeHttp server([](const HttpAsked& asked, int) { return range_reply(asked, kModel); });
  const auto entry = entry_at(server.url() + "/model.gguf");
  ASSERT_TRUE(pull(entry));
  ASSERT_TRUE(pull(entry));
  EXPECT_EQ(server.asked().size(), 1U);
}

TEST_F(Pull, ABrokenConnectionIsTakenUpWhereItBroke) {
  FakeHttp server([](const HttpAsked& asked, int exchange) {
    auto reply = range_reply(asked, kModel);
    if (exchange == 0) reply.pieces[0].bytes.resize(100'000);
    return reply;
  });
  const auto path = pull(entry_at(server.url() + "/model.gguf"));
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_EQ(*read_file(*path), kModel);
  const auto asked = server.asked();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_GT(std::stoul(asked[1].headers.at("range").substr(6)), 90'000U);
}

TEST_F(Pull, ADamagedFileIsNeverInstalled) {
  auto damaged = kModel;
  damaged[1000] = 'x';
  FakeHttp server([&](const HttpAsked& asked, int) { return range_reply(asked, damaged); });
  const auto path = pull(entry_at(server.url() + "/model.gguf"));
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().code, Code::kCorrupt);
  EXPECT_TRUE(nothing_installed());
}

TEST_F(Pull, TheNextSourceIsTriedAndAllReasonsAreTold) {
  FakeHttp good([](const HttpAsked& asked, int) { return range_reply(asked, kModel); });
  FakeHttp bad([](const HttpAsked&, int) { return http_reply(404, "gone"); });
  auto entry = entry_at(bad.url() + "/a.gguf");
  const auto alone = pull(entry);
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().code, Code::kNotFound);
  EXPECT_NE(alone.error().message.find("404"), std::string::npos);
  entry.sources.push_back(entry_at(good.url() + "/b.gguf").sources[0]);
  EXPECT_TRUE(pull(entry));
}

TEST_F(Pull, MoreBytesThanAnnouncedAreRefused) {
  FakeHttp server([](const HttpAsked& asked, int) { return range_reply(asked, kModel + "more"); });
  EXPECT_FALSE(pull(entry_at(server.url() + "/model.gguf")));
  EXPECT_TRUE(nothing_installed());
}

TEST_F(Pull, SomethingElseThanAModelIsRefused) {
  const auto page = describe_place(folder_.write("page.gguf", "<html>Log in</html>"), "").value();
  EXPECT_EQ(pull(page).error().code, Code::kCorrupt);
  EXPECT_TRUE(nothing_installed());
  EXPECT_EQ(describe_place(folder_ / "absent.gguf", "").error().code, Code::kNotFound);
  EXPECT_EQ(describe_place(folder_.path(), "").error().code, Code::kNotFound);
}

TEST_F(Pull, DamageOnTheDiskIsFound) {
  ASSERT_TRUE(pull(entry_at(folder_.write("tiny.gguf", kModel))));
  auto damaged = kModel;
  damaged.back() = 'x';
  folder_.write("models/tiny/model.gguf", damaged);
  EXPECT_EQ(verify_model(models(), "tiny").error().code, Code::kCorrupt);
  folder_.write("models/tiny/model.gguf", "short");
  EXPECT_TRUE(nothing_installed());  // its card names another size
}

TEST_F(Pull, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  FakeHttp server([](const HttpAsked& asked, int) { return range_reply(asked, kModel); });
  EXPECT_EQ(pull(entry_at(server.url() + "/model.gguf"), stop.get_token()).error().code,
            Code::kCancelled);
}

}  // namespace
}  // namespace qiao
