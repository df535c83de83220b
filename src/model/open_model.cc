// SPDX-License-Identifier: Apache-2.0
#include "model/open_model.h"

#include <utility>

#include "model/gguf/gguf_check.h"
#include "model/llama/local_model.h"
#include "model/measured_model.h"
#include "model/provider/provider_model.h"
#include "model/scripted_model.h"
#include "model/worker/worker_model.h"

namespace qiao {
namespace {

Result<std::shared_ptr<Model>> open_scripted(const ModelOptions& options) {
  QIAO_ASSIGN(auto lines, load_script(options.path));
  return std::shared_ptr<Model>(std::make_shared<ScriptedModel>(std::move(lines)));
}

// What can be said of the files before anything runs them.
Status check_files(const ModelOptions& options) {
  QIAO_TRY(model::check_gguf(options.path));
  if (!options.adapter.empty()) QIAO_TRY(model::check_gguf(options.adapter));
  return {};
}

Result<std::shared_ptr<Model>> open_in_process(const ModelOptions& options, const Clock& clock) {
  QIAO_TRY(check_files(options));
  QIAO_ASSIGN(auto files, model::open_model_files(options));
  return model::open_local(options, std::move(files), clock);
}

Result<std::shared_ptr<Model>> open_worker(const ModelOptions& options, const Clock& clock,
                                           Metrics& metrics) {
  QIAO_TRY(check_files(options));
  model::WorkerTimes times;
  times.hang_ms = std::int64_t{options.hang_s} * 1'000;
  return std::shared_ptr<Model>(
      std::make_shared<model::WorkerModel>(options, times, clock, metrics));
}

Status check(const ModelOptions& options) {
  const std::string who = "model " + options.name + ": ";
  if (options.slots < 1 || options.slots > kSlotsMax) {
    return invalid_argument(who + "slots must be 1 to " + std::to_string(kSlotsMax));
  }
  if (options.context_tokens < kContextTokensMin || options.context_tokens > kContextTokensMax) {
    return invalid_argument(who + "context_tokens must be " + std::to_string(kContextTokensMin) +
                            " to " + std::to_string(kContextTokensMax));
  }
  if (options.threads < 0) return invalid_argument(who + "threads must not be negative");
  return {};
}

Result<std::shared_ptr<Model>> open_engine(const ModelOptions& options, const Clock& clock,
                                           Metrics& metrics) {
  if (options.engine == "provider") return open_provider(options, clock, metrics);
  if (options.path.empty()) {
    return invalid_argument("model " + options.name + ": `path` is missing");
  }
  if (options.engine == "scripted") return open_scripted(options);
  if (options.engine == "in-process") return open_in_process(options, clock);
  if (options.engine.empty() || options.engine == "worker") {
    return open_worker(options, clock, metrics);
  }
  return invalid_argument("model " + options.name + ": unknown engine '" + options.engine +
                          "': use worker, in-process, provider or scripted");
}

}  // namespace

Result<std::shared_ptr<Model>> open_model(const ModelOptions& options, const Clock& clock,
                                          Metrics& metrics) {
  QIAO_TRY(check(options));
  QIAO_ASSIGN(auto opened, open_engine(options, clock, metrics));
  return std::shared_ptr<Model>(
      std::make_shared<model::MeasuredModel>(std::move(opened), options.name, clock, metrics));
}

}  // namespace qiao
