// SPDX-License-Identifier: Apache-2.0
#include "cli/local_models.h"

#include <chrono>
#include <thread>

#include "base/i18n.h"
#include "cli/about.h"
#include "model/catalogue/catalogue.h"
#include "server/default_models.h"

namespace qiao::cli {
namespace {

constexpr std::chrono::milliseconds kReadyStep{20};

Status wait_until_ready(const Model& model, const Clock& clock) {
  const std::int64_t end_us = clock.steady_us() + LocalModels::kLoadMsMax * 1000;
  while (!model.info().ready) {
    if (clock.steady_us() > end_us) {
      const ModelInfo info = model.info();
      return unavailable("the model " + info.name +
                         " is not ready after two minutes: " + info.note);
    }
    std::this_thread::sleep_for(kReadyStep);
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<Model>> LocalModels::open_one(const ModelOptions& options) {
  QIAO_ASSIGN(std::shared_ptr<Model> model, open_model(options, clock_, metrics_));
  QIAO_TRY(wait_until_ready(*model, clock_));
  return model;
}

Status LocalModels::open(Session& session, const std::string& chat_model) {
  const auto wanted = default_models(default_models_directory(), chat_model);
  if (chat_model != "none" && !wanted.contains("chat")) {
    return not_found("the model " + chat_model + " is not installed; `qiao model pull " +
                     chat_model + "` fetches it");
  }
  if (!with_llama() && wanted.contains("chat")) {
    return Error{Code::kUnsupported, "this program is built without llama.cpp: no local models"};
  }
  if (!with_llama()) return {};
  for (const auto& [name, options] : wanted) {
    auto model = open_one(options);
    if (model) {
      models_[name] = std::move(*model);
    } else if (name == "chat") {
      return std::move(model.error());
    } else {
      session.note(Text::kCliWithoutModel, {name, model.error().message});
    }
  }
  return {};
}

Status LocalModels::open_bundles(const FlowConfig& flow) {
  for (const HeadConfig& head : flow.heads) {
    if (bundles_.contains(head.bundle)) continue;
    ModelOptions options;
    options.name = head.bundle;
    options.engine = "worker";
    QIAO_ASSIGN(bundles_[head.bundle],
                open_bundle(default_models_directory(), options, clock_, metrics_));
  }
  return {};
}

Encoders LocalModels::encoders() const {
  const auto find = [this](const char* name) {
    const auto found = models_.find(name);
    return found == models_.end() ? nullptr : found->second;
  };
  return {find("encoder-zh"), find("encoder-en")};
}

}  // namespace qiao::cli
