// SPDX-License-Identifier: Apache-2.0
#include "model/worker/worker_model.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "base/disk.h"
#include "model/testing/tiny_gguf.h"

namespace qiao::model {
namespace {

using namespace qiao::testing;

// Waits until `holds`, at most a minute.
template <class Condition>
bool soon(const Condition& holds) {
  for (int i = 0; i < 6'000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// A worker with the tiny encoder.
class Worker : public ::testing::Test {
 protected:
  Worker() {
    options_.name = "tiny";
    options_.encoder = true;
    options_.path = tiny_encoder(folder_);
    options_.threads = 1;
  }
  std::unique_ptr<WorkerModel> start(const WorkerTimes& times = {}) {
    return std::make_unique<WorkerModel>(options_, times, clock_, metrics_);
  }
  static bool is_ready(const WorkerModel& model) {
    return soon([&] { return model.info().ready; });
  }

  TempFolder folder_;
  ModelOptions options_;
  SystemClock clock_;
  Metrics metrics_;
};

TEST_F(Worker, EncodesAndCounts) {
  const auto model = start();
  const auto vectors = embed_and_wait(*model, {"ab", "abc", ""});  // waits for it to load
  ASSERT_TRUE(vectors) << vectors.error().message;
  ASSERT_EQ(vectors->size(), 3U);
  for (const auto& vector : *vectors) {
    ASSERT_EQ(vector.size(), 8U);
    double square = 0;
    for (const float x : vector) square += double{x} * x;
    EXPECT_NEAR(square, 1, 1e-4);
  }
  EXPECT_EQ(*model->count_tokens("abc ab"), 3);
  const auto info = model->info();
  EXPECT_TRUE(info.ready);
  EXPECT_EQ(info.where, "worker");
  EXPECT_EQ(info.kind, "encoder");
  EXPECT_EQ(info.embedding_size, 8);
  EXPECT_EQ(info.context_tokens, 12);
  EXPECT_GT(info.resident_bytes, 1 << 20);
  EXPECT_EQ(info.restarts, 0U);
  GenerateRequest request;
  request.turns = {{Role::kUser, "hi", {}, {}}};
  EXPECT_EQ(generate_and_wait(*model, request).error().code, Code::kUnsupported);
}

// encode() gives what embed() makes of unit length, and refuses tokens that are not there.
TEST_F(Worker, EncodesTokensAsTheyAre) {
  const auto model = start();
  const auto unit = embed_and_wait(*model, {"ab"});
  ASSERT_TRUE(unit) << unit.error().message;
  const auto encode = [&](std::vector<std::int32_t> tokens) {
    std::promise<Result<Embeddings>> done;
    model->encode({std::move(tokens)},
                  [&](Result<Embeddings> vectors) { done.set_value(std::move(vectors)); });
    return done.get_future().get();
  };
  const auto raw = encode({2, 5, 3});  // [CLS] ab [SEP]
  ASSERT_TRUE(raw) << raw.error().message;
  const auto& vector = raw->front();
  double square = 0;
  for (const float x : vector) square += double{x} * x;
  EXPECT_GT(std::abs(square - 1), 0.01);
  for (std::size_t i = 0; i < vector.size(); ++i) {
    EXPECT_NEAR(vector[i] / std::sqrt(square), unit->front()[i], 1e-3);
  }
  EXPECT_EQ(encode({2, 99, 3}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(encode({}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(encode(std::vector<std::int32_t>(13, 5)).error().code, Code::kInvalidArgument);
}

TEST_F(Worker, ComesBackHoweverItIsKilled) {
  const auto model = start();
  std::uint64_t restarts = 0;
  for (const int signal : {SIGKILL, SIGSEGV, SIGABRT, SIGTERM}) {
    ASSERT_TRUE(is_ready(*model));
    ASSERT_EQ(::kill(model->pid(), signal), 0);
    ++restarts;
    ASSERT_TRUE(soon([&] { return model->info().restarts == restarts; }));
    const auto vectors = embed_and_wait(*model, {"ab"});
    ASSERT_TRUE(vectors) << vectors.error().message;
  }
}

TEST_F(Worker, ARequestUnderWayIsSentAgain) {
  const auto model = start();
  ASSERT_TRUE(is_ready(*model));
  ASSERT_EQ(::kill(model->pid(), SIGSTOP), 0);  // the request reaches it and stays
  std::promise<Result<Embeddings>> done;
  model->embed({"abc"}, [&](Result<Embeddings> vectors) { done.set_value(std::move(vectors)); });
  auto answer = done.get_future();
  EXPECT_EQ(answer.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  ASSERT_EQ(::kill(model->pid(), SIGKILL), 0);
  const auto vectors = answer.get();
  EXPECT_TRUE(vectors) << vectors.error().message;
  EXPECT_EQ(model->info().restarts, 1U);
}

TEST_F(Worker, AHangingOneIsKilled) {
  WorkerTimes times;
  times.hang_ms = 1'000;
  const auto model = start(times);
  ASSERT_TRUE(is_ready(*model));
  ASSERT_EQ(::kill(model->pid(), SIGSTOP), 0);
  const auto vectors = embed_and_wait(*model, {"abc"});
  ASSERT_TRUE(vectors) << vectors.error().message;
  EXPECT_GE(model->info().restarts, 1U);
}

TEST_F(Worker, OneThatHadNothingToDoForLongIsNoHangingOne) {
  WorkerTimes times;
  times.hang_ms = 400;
  const auto model = start(times);
  ASSERT_TRUE(is_ready(*model));
  std::this_thread::sleep_for(std::chrono::milliseconds(2 * times.hang_ms));
  EXPECT_TRUE(embed_and_wait(*model, {"abc"}));
  EXPECT_EQ(model->info().restarts, 0U);
}

TEST_F(Worker, CancelNeedsNoAnswerFromIt) {
  const auto model = start();
  ASSERT_TRUE(is_ready(*model));
  ASSERT_EQ(::kill(model->pid(), SIGSTOP), 0);
  std::promise<Result<Generated>> done;
  GenerateRequest request;
  request.turns = {{Role::kUser, "hi", {}, {}}};
  const auto id = model->generate(
      request, {}, [&](Result<Generated> generated) { done.set_value(std::move(generated)); });
  model->cancel(id);
  EXPECT_EQ(done.get_future().get().error().code, Code::kCancelled);
  model->cancel(id);  // harmless
  model->cancel(12345);
}

TEST_F(Worker, PastItsBoundItIsOverloaded) {
  options_.requests_max = 2;
  const auto model = start();
  ASSERT_TRUE(is_ready(*model));
  ASSERT_EQ(::kill(model->pid(), SIGSTOP), 0);
  std::vector<Result<Embeddings>> ended;
  std::mutex mutex;
  for (int i = 0; i < 3; ++i) {
    model->embed({"ab"}, [&](Result<Embeddings> vectors) {
      const std::lock_guard lock(mutex);
      ended.push_back(std::move(vectors));
    });
  }
  {
    const std::lock_guard lock(mutex);
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].error().code, Code::kOverloaded);
  }
  ASSERT_EQ(::kill(model->pid(), SIGCONT), 0);
  EXPECT_TRUE(soon([&] {
    const std::lock_guard lock(mutex);
    return ended.size() == 3;
  }));
}

TEST_F(Worker, ClosingEndsWhatIsUnderWayAndTheProcess) {
  auto model = start();
  ASSERT_TRUE(is_ready(*model));
  const pid_t worker = model->pid();
  ASSERT_EQ(::kill(worker, SIGSTOP), 0);
  std::promise<Result<Embeddings>> done;
  model->embed({"ab"}, [&](Result<Embeddings> vectors) { done.set_value(std::move(vectors)); });
  model.reset();
  EXPECT_EQ(done.get_future().get().error().code, Code::kCancelled);
  EXPECT_NE(::kill(worker, 0), 0);  // gone and reaped
}

// A worker that cannot open its model: the requests say so, and so does info().
class BrokenWorker : public Worker {
 protected:
  void expect_refused(std::string_view why) {
    const auto model = start();
    const auto vectors = embed_and_wait(*model, {"ab"});
    ASSERT_FALSE(vectors);
    EXPECT_EQ(vectors.error().code, Code::kUnavailable);
    EXPECT_THAT(vectors.error().message, ::testing::HasSubstr(std::string(why)));
    EXPECT_FALSE(model->info().ready);
    EXPECT_THAT(model->info().note, ::testing::HasSubstr(std::string(why)));
    const auto count = model->count_tokens("ab");  // at once from now on
    ASSERT_FALSE(count);
    EXPECT_EQ(count.error().code, Code::kUnavailable);
  }
};

TEST_F(BrokenWorker, SaysWhatIsWrongWithAFileThatIsNone) {
  options_.path = folder_.write("notes.txt", "Dear model, please run.");
  expect_refused("notes.txt");
}

TEST_F(BrokenWorker, SaysThatAFileIsMissing) {
  options_.path = folder_ / "absent.gguf";
  expect_refused("absent.gguf");
}

TEST_F(BrokenWorker, SaysThatItsProgramIsMissing) {
  options_.worker_program = folder_ / "no-program";
  expect_refused("no-program");
}

TEST_F(BrokenWorker, MemoryThatIsShortCostsNoMoreThanTheWorker) {
  options_.memory_bytes_max = 1;  // not even for its own buffers
  const auto model = start();
  EXPECT_EQ(embed_and_wait(*model, {"ab"}).error().code, Code::kUnavailable);
}

// A program that is no worker: it ends while the model "loads".
TEST_F(BrokenWorker, GivesUpOnOneThatDiesWhileItLoads) {
  options_.worker_program = "/bin/false";
  expect_refused("ended with status 1");
}

TEST_F(BrokenWorker, AWorkerStartsNoWorkers) {
  ::setenv("QIAO_IS_WORKER", "1", 1);
  expect_refused("no workers of its own");
  ::unsetenv("QIAO_IS_WORKER");
}

TEST_F(BrokenWorker, ComesBackWhenTheFileDoes) {
  WorkerTimes times;
  times.backoff_ms_max = 200;
  const auto path = options_.path;
  const auto bytes = *read_file(path);
  folder_.write("tiny.gguf", bytes.substr(0, bytes.size() / 2));
  const auto model = start(times);
  EXPECT_EQ(embed_and_wait(*model, {"ab"}).error().code, Code::kUnavailable);
  folder_.write("tiny.gguf", bytes);
  EXPECT_TRUE(is_ready(*model));
  EXPECT_TRUE(embed_and_wait(*model, {"ab"}));
}

// Goal: a hostile file costs its worker, never this process. Method: change numbers of the header
// and the vocabulary at random places; the model opens all the same or is refused with a reason.
TEST_F(BrokenWorker, SurvivesHostileFiles) {
  const auto bytes = *read_file(options_.path);
  std::size_t refused = 0;
  for (std::size_t at = 24; at < 1400; at += 97) {
    auto changed = bytes;
    const std::uint32_t value = at % 2 == 0 ? 0xFFFFFFFFU : 0x40000000U;
    std::memcpy(changed.data() + at, &value, sizeof value);
    options_.path = folder_.write("changed" + std::to_string(at) + ".gguf", changed);
    const auto model = start();
    const auto vectors = embed_and_wait(*model, {"abc"});
    if (vectors) continue;
    ++refused;
    EXPECT_THAT(vectors.error().code, ::testing::AnyOf(Code::kUnavailable, Code::kModelFailed))
        << at << " " << vectors.error().message;
    EXPECT_FALSE(vectors.error().message.empty());
  }
  EXPECT_GT(refused, 3U);
}

}  // namespace
}  // namespace qiao::model
