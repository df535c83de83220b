// SPDX-License-Identifier: Apache-2.0
#include "server/model_set.h"

#include <filesystem>

#include "base/logging.h"
#include "server/default_models.h"

namespace qiao::server {
namespace {

// Installed models lie in <models>/<catalogue name>/model.gguf.
std::string catalogue_name(const ModelOptions& options) {
  const std::filesystem::path path(options.path);
  return path.filename() == "model.gguf" ? path.parent_path().filename().string() : "";
}

void warn_of_missing_chat_model(const ServerConfig& config, const ModelSet& models) {
  if (config.chat_model.empty() || config.chat_model == "none" || models.contains("chat")) return;
  log_warn("server", "the chat model '" + config.chat_model + "' is not installed; get it with: " +
                         "qiao model pull " + config.chat_model);
}

}  // namespace

Result<OpenModels> open_models(const ServerConfig& config, const Clock& clock, Metrics& metrics) {
  std::map<std::string, ModelOptions> wanted =
      default_models(config.models_directory, config.chat_model);
  for (const auto& [name, options] : config.models) wanted[name] = options;
  OpenModels out;
  for (const auto& [name, options] : wanted) {
    const bool named =
        config.models.contains(name) || (name == "chat" && !config.chat_model.empty());
    Result<std::shared_ptr<Model>> model = open_model(options, clock, metrics);
    if (!model && named) return std::move(model.error()).with("while opening the model " + name);
    if (!model) {
      log_warn("server", "going on without the model " + name + ": " + model.error().message);
      continue;
    }
    metrics.gauge(
        "qiao_model_ready", "1 when the model answers",
        [weak = std::weak_ptr(*model)] {
          const auto live = weak.lock();
          return live && live->info().ready ? 1.0 : 0.0;
        },
        "model=\"" + name + "\"");
    const std::string alias = catalogue_name(options);
    if (!alias.empty() && !wanted.contains(alias)) out.aliases[alias] = name;
    out.models[name] = std::move(*model);
  }
  warn_of_missing_chat_model(config, out.models);
  return out;
}

}  // namespace qiao::server
