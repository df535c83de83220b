// SPDX-License-Identifier: Apache-2.0
#include "model/worker/worker_book.h"

#include <gtest/gtest.h>

#include <optional>

namespace qiao::model {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

// A book whose requests remember how they ended.
class Book : public ::testing::Test {
 protected:
  void ask(Model::RequestId id, std::int64_t deadline_us = 100 * kSecond) {
    book_.add(id, {FrameType::kEmbed, "body" + std::to_string(id), deadline_us,
                   [this, id](std::string_view piece) { said_[id] += piece; },
                   [this, id](Result<std::string> result) {
                     EXPECT_FALSE(ended_.contains(id)) << "ended twice";
                     ended_.emplace(id, std::move(result));
                   }});
  }
  // The ids of the frames that go to the worker now.
  std::vector<Model::RequestId> sent(std::int64_t now_us = 0) {
    std::string out;
    book_.send_waiting(out, now_us);
    return ids_in(out);
  }
  static std::vector<Model::RequestId> ids_in(const std::string& out) {
    FrameReader reader;
    reader.feed(out);
    std::vector<Model::RequestId> ids;
    for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
      ids.push_back((*frame)->id);
    }
    return ids;
  }
  WorkerBook book_;
  std::map<Model::RequestId, std::string> said_;
  std::map<Model::RequestId, Result<std::string>> ended_;
};

using Ids = std::vector<Model::RequestId>;

TEST_F(Book, ARequestIsSentOnceAndEndsOnce) {
  ask(1);
  ask(2);
  EXPECT_FALSE(book_.any_sent());
  EXPECT_EQ(sent(), (Ids{1, 2}));
  EXPECT_EQ(sent(), Ids{});
  book_.text(2, "hel");
  book_.text(2, "lo");
  book_.end(2, std::string("done"));
  book_.end(2, std::string("again"));
  book_.text(2, "late");
  EXPECT_EQ(said_[2], "hello");
  EXPECT_EQ(*ended_.at(2), "done");
  EXPECT_TRUE(book_.any_sent());
  book_.end(1, std::string());
  EXPECT_TRUE(book_.empty());
}

TEST_F(Book, SilentRequestsAreSentAgainWhenTheWorkerIsLost) {
  ask(1);
  ask(2);
  sent();
  ask(3);
  book_.text(2, "I was saying");
  book_.worker_lost("ended with signal 9");
  EXPECT_EQ(ended_.at(2).error().code, Code::kModelFailed);
  EXPECT_NE(ended_.at(2).error().message.find("signal 9"), std::string::npos);
  EXPECT_EQ(sent(), (Ids{1, 3}));
}

TEST_F(Book, ARequestThatKillsEveryWorkerFails) {
  ask(1);
  for (int i = 0; i < kTriesMax; ++i) {
    EXPECT_FALSE(ended_.contains(1));
    EXPECT_EQ(sent(), Ids{1});
    book_.worker_lost("ended with signal 11");
  }
  EXPECT_EQ(ended_.at(1).error().code, Code::kModelFailed);
  EXPECT_TRUE(book_.empty());
}

TEST_F(Book, LateRequestsEndAndTheWorkerIsTold) {
  ask(1, 10 * kSecond);
  ask(2, 20 * kSecond);
  sent();
  ask(3, 10 * kSecond);
  std::string out;
  book_.end_late(out, 10 * kSecond);
  EXPECT_FALSE(ended_.contains(1));  // the worker ends it itself, a little later
  EXPECT_EQ(ended_.at(3).error().code, Code::kDeadline);
  EXPECT_EQ(out, "");
  book_.end_late(out, 12 * kSecond);
  EXPECT_EQ(ended_.at(1).error().code, Code::kDeadline);
  EXPECT_EQ(ids_in(out), Ids{1});
  EXPECT_FALSE(ended_.contains(2));
}

TEST_F(Book, CancelTellsWhetherTheWorkerHasIt) {
  ask(1);
  sent();
  ask(2);
  EXPECT_TRUE(book_.cancel(1));
  EXPECT_FALSE(book_.cancel(2));
  EXPECT_FALSE(book_.cancel(3));
  EXPECT_EQ(ended_.at(1).error().code, Code::kCancelled);
  EXPECT_EQ(ended_.at(2).error().code, Code::kCancelled);
}

TEST_F(Book, AnAnswerIsGivenTheTimeThatIsLeft) {
  book_.add(1, {FrameType::kGenerate, "{}", 5 * kSecond, {}, [](const Result<std::string>&) {}});
  std::string out;
  book_.send_waiting(out, 2 * kSecond);
  FrameReader reader;
  reader.feed(out);
  const auto frame = *reader.next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(*number_of_bytes(frame->body), 3000U);
  EXPECT_EQ(frame->body.substr(8), "{}");
}

}  // namespace
}  // namespace qiao::model
