// SPDX-License-Identifier: Apache-2.0
#include "model/model.h"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace qiao {
namespace {

// Longer than a model's own deadline: only a broken model ever runs into it.
constexpr std::int64_t kGraceMs = 10'000;

// One answer, handed from the model's thread to the waiting one. Shared by both, because the
// waiting one may give up first.
template <class T>
class Slot {
 public:
  void put(Result<T> value) {
    {
      const std::lock_guard lock(mutex_);
      value_ = std::move(value);
    }
    there_.notify_all();
  }
  std::optional<Result<T>> wait(std::int64_t timeout_ms) {
    std::unique_lock lock(mutex_);
    there_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                    [this] { return value_.has_value(); });
    return std::move(value_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable there_;
  std::optional<Result<T>> value_;
};

Result<Embeddings> vectors_of(Slot<Embeddings>& slot, std::int64_t timeout_ms) {
  if (auto vectors = slot.wait(timeout_ms)) return std::move(*vectors);
  return Error{Code::kDeadline,
               "the encoder gave no answer in " + std::to_string(timeout_ms) + " ms"};
}

}  // namespace

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      return "tool";
  }
  return "user";
}

Result<Role> parse_role(std::string_view name) {
  if (name == "system" || name == "developer") return Role::kSystem;
  if (name == "user") return Role::kUser;
  if (name == "assistant") return Role::kAssistant;
  if (name == "tool") return Role::kTool;
  return invalid_argument("unknown role '" + std::string(name) +
                          "': use system, developer, user, assistant or tool");
}

void Model::encode(std::vector<std::vector<std::int32_t>> /*tokens*/, OnEmbedded on_done) {
  on_done(Error{Code::kUnsupported, "model " + info().name + " takes texts and no tokens"});
}

Result<Generated> generate_and_wait(Model& model, GenerateRequest request) {
  auto slot = std::make_shared<Slot<Generated>>();
  const std::int64_t timeout_ms = request.deadline_ms + kGraceMs;
  const auto id = model.generate(
      std::move(request), {}, [slot](Result<Generated> answer) { slot->put(std::move(answer)); });
  if (auto answer = slot->wait(timeout_ms)) return std::move(*answer);
  model.cancel(id);
  return Error{Code::kDeadline,
               "the model gave no answer in " + std::to_string(timeout_ms) + " ms"};
}

Result<Embeddings> embed_and_wait(Model& model, std::vector<std::string> texts,
                                  std::int64_t timeout_ms) {
  auto slot = std::make_shared<Slot<Embeddings>>();
  model.embed(std::move(texts),
              [slot](Result<Embeddings> vectors) { slot->put(std::move(vectors)); });
  return vectors_of(*slot, timeout_ms);
}

Result<std::vector<float>> encode_and_wait(Model& model, std::vector<std::int32_t> tokens,
                                           std::int64_t timeout_ms) {
  auto slot = std::make_shared<Slot<Embeddings>>();
  model.encode({std::move(tokens)},
               [slot](Result<Embeddings> vectors) { slot->put(std::move(vectors)); });
  QIAO_ASSIGN(Embeddings made, vectors_of(*slot, timeout_ms));
  if (made.size() != 1) return internal("an encoder gave no vector");
  return std::move(made.front());
}

}  // namespace qiao
