// SPDX-License-Identifier: Apache-2.0
#include "understand/classifier.h"

#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "model/bundle/bundle_store.h"
#include "model/bundle/table_encoder.h"

namespace qiao {
namespace {

constexpr std::chrono::milliseconds kReadyStep{20};

}  // namespace

Result<std::shared_ptr<const Classifier>> Classifier::open(const std::string& folder,
                                                           const std::string& version,
                                                           ModelOptions options, const Clock& clock,
                                                           Metrics& metrics) {
  QIAO_TRY(check_served(options.name, folder));
  QIAO_ASSIGN(TextHead head, TextHead::read(folder, folder + "/head.safetensors"));
  options.pooling = head.pooling();
  QIAO_ASSIGN(std::shared_ptr<Model> encoder,
              model::open_bundle_encoder(folder, options, clock, metrics));
  return std::make_shared<const Classifier>(options.name, version, std::move(head),
                                            std::move(encoder));
}

Classifier::Classifier(std::string name, std::string version, TextHead head,
                       std::shared_ptr<Model> encoder)
    : name_(std::move(name)),
      version_(std::move(version)),
      head_(std::make_shared<const TextHead>(std::move(head))),
      encoder_(std::move(encoder)) {}

void Classifier::judge(std::string text, OnAnswer done) const {
  model::Encoded encoded = head_->encode(text);
  std::vector<std::vector<std::int32_t>> tokens{encoded.ids};
  encoder_->encode(std::move(tokens),
                   [head = head_, text = std::move(text), encoded = std::move(encoded),
                    done = std::move(done)](const Result<Embeddings>& made) {
                     if (!made) return done(made.error());
                     if (made->size() != 1) return done(internal("an encoder gave no vector"));
                     done(head->answer(text, encoded, made->front()));
                   });
}

Status Classifier::wait_until_ready(std::int64_t timeout_ms) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!info().ready) {
    if (std::chrono::steady_clock::now() > end) {
      return unavailable("the bundle " + id() + " is not ready: " + info().note);
    }
    std::this_thread::sleep_for(kReadyStep);
  }
  return {};
}

Result<HeadAnswer> judge_and_wait(const Classifier& classifier, std::string text,
                                  std::int64_t timeout_ms) {
  auto promise = std::make_shared<std::promise<Result<HeadAnswer>>>();
  auto answer = promise->get_future();
  classifier.judge(std::move(text),
                   [promise](Result<HeadAnswer> made) { promise->set_value(std::move(made)); });
  if (answer.wait_for(std::chrono::milliseconds(timeout_ms)) == std::future_status::ready) {
    return answer.get();
  }
  return Error{Code::kDeadline, "the bundle " + classifier.id() + " gave no answer in time"};
}

}  // namespace qiao
