// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/model_bench.h"

#include <chrono>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/metrics.h"
#include "cli/bench/quantiles.h"
#include "model/catalogue/catalogue.h"
#include "model/open_model.h"

namespace qiao::cli {
namespace {

constexpr std::int64_t kLoadMsMax = 120'000;
constexpr std::size_t kBatch = 16;
constexpr const char* kSystemPrompt =
    "You are the assistant of a small shop. Answer in the language of the customer, briefly.";

// A model on its own, with what it lives on.
struct BareModel {
  SystemClock clock;
  Metrics metrics;
  std::shared_ptr<Model> model;

  Status open(const ModelBenchOptions& options, bool encoder) {
    QIAO_ASSIGN(const std::vector<InstalledModel> installed,
                list_models(default_models_directory()));
    ModelOptions open;
    open.name = options.model;
    open.engine = options.engine;
    for (const InstalledModel& one : installed)
      if (one.name == options.model) open.path = one.path;
    if (open.path.empty())
      return not_found("the model " + options.model + " is not installed; `qiao model pull " +
                       options.model + "` fetches it");
    open.encoder = encoder;
    open.threads = options.threads;
    open.slots = options.conversations;
    QIAO_ASSIGN(model, open_model(open, clock, metrics));
    for (std::int64_t ms = 0; !model->info().ready; ms += 20) {
      if (ms > kLoadMsMax) return unavailable(options.model + " is not ready after two minutes");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return {};
  }
};

GenerateRequest request_of(const ModelBenchOptions& options) {
  GenerateRequest request;
  request.turns = {{Role::kSystem, kSystemPrompt, {}, {}}, {Role::kUser, options.text, {}, {}}};
  request.shared_turns = 1;
  request.tokens_max = options.tokens;
  return request;
}

}  // namespace

Result<Json> bench_generator(const ModelBenchOptions& options) {
  BareModel bare;
  QIAO_TRY(bare.open(options, false));
  QIAO_TRY(generate_and_wait(*bare.model, request_of(options)));  // warms the shared prefix
  std::mutex mutex;
  std::vector<double> first_ms;
  std::int64_t tokens = 0;
  std::optional<Error> error;
  const std::int64_t begin_us = bare.clock.steady_us();
  const auto end_us = begin_us + static_cast<std::int64_t>(options.seconds * 1e6);
  {
    std::vector<std::jthread> conversations;
    for (int i = 0; i < options.conversations; ++i) {
      conversations.emplace_back([&] {
        do {
          const auto answer = generate_and_wait(*bare.model, request_of(options));
          const std::lock_guard lock(mutex);
          if (!answer) {
            error = answer.error();
            return;
          }
          first_ms.push_back(answer->first_token_ms);
          tokens += answer->usage.completion_tokens;
        } while (bare.clock.steady_us() < end_us);
      });
    }
  }
  if (error) return *error;
  const double seconds = static_cast<double>(bare.clock.steady_us() - begin_us) / 1e6;
  return Json{{"bench", "generator"},
              {"peer", "qiao"},
              {"model", options.model},
              {"where", bare.model->info().where},
              {"conversations", options.conversations},
              {"tokens", tokens},
              {"tokens_per_s", static_cast<double>(tokens) / seconds},
              {"ttft_p50_ms", quantile(first_ms, 0.50)},
              {"ttft_p99_ms", quantile(first_ms, 0.99)},
              {"seconds", seconds}};
}

Result<Json> bench_encoder(const ModelBenchOptions& options) {
  BareModel bare;
  QIAO_TRY(bare.open(options, true));
  std::vector<double> one_ms;
  std::size_t texts = 0;
  const std::int64_t begin_us = bare.clock.steady_us();
  const auto half_us = begin_us + static_cast<std::int64_t>(options.seconds * 5e5);
  while (bare.clock.steady_us() < half_us) {
    const std::int64_t sent_us = bare.clock.steady_us();
    QIAO_TRY(embed_and_wait(*bare.model, {options.text}));
    one_ms.push_back(static_cast<double>(bare.clock.steady_us() - sent_us) / 1000);
  }
  const std::int64_t batches_us = bare.clock.steady_us();
  const auto end_us = batches_us + static_cast<std::int64_t>(options.seconds * 5e5);
  while (bare.clock.steady_us() < end_us) {
    QIAO_TRY(embed_and_wait(*bare.model, std::vector<std::string>(kBatch, options.text)));
    texts += kBatch;
  }
  const double seconds = static_cast<double>(bare.clock.steady_us() - batches_us) / 1e6;
  return Json{{"bench", "encoder"},
              {"peer", "qiao"},
              {"model", options.model},
              {"where", bare.model->info().where},
              {"batch", kBatch},
              {"texts_per_s", static_cast<double>(texts) / seconds},
              {"p50_ms", quantile(one_ms, 0.50)},
              {"p99_ms", quantile(one_ms, 0.99)}};
}

}  // namespace qiao::cli
