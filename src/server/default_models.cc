// SPDX-License-Identifier: Apache-2.0
#include "server/default_models.h"

#include <filesystem>
#include <optional>
#include <vector>

#include "model/catalogue/catalogue.h"

namespace qiao {
namespace {

// Best first.
constexpr std::string_view kChatModels[] = {"qwen2.5-coder-1.5b", "smollm2-135m"};

std::optional<std::string> path_of(const std::vector<InstalledModel>& installed,
                                   std::string_view name) {
  for (const InstalledModel& model : installed) {
    if (model.name == name) return model.path;
  }
  return std::nullopt;
}

std::optional<std::string> chat_path(const std::vector<InstalledModel>& installed,
                                     const std::string& chat_model) {
  if (chat_model == "none") return std::nullopt;
  const std::filesystem::path as_path(chat_model);
  if (as_path.has_parent_path() || as_path.extension() == ".gguf") return chat_model;
  if (!chat_model.empty()) return path_of(installed, chat_model);
  for (const std::string_view name : kChatModels) {
    if (auto path = path_of(installed, name)) return path;
  }
  return std::nullopt;
}

}  // namespace

std::map<std::string, ModelOptions> default_models(const std::string& models_directory,
                                                   const std::string& chat_model) {
  const std::string directory =
      models_directory.empty() ? default_models_directory() : models_directory;
  // A folder that is not there has no models.
  const std::vector<InstalledModel> installed =
      list_models(directory).value_or(std::vector<InstalledModel>{});
  std::map<std::string, ModelOptions> out;
  const auto add = [&out](const std::string& name, const std::optional<std::string>& path) {
    if (!path) return;
    ModelOptions& options = out[name];
    options.name = name;
    options.engine = "worker";
    options.path = *path;
    options.encoder = name != "chat";
  };
  add("chat", chat_path(installed, chat_model));
  add("encoder-zh", path_of(installed, "bge-small-zh"));
  add("encoder-en", path_of(installed, "minilm-l6"));
  return out;
}

}  // namespace qiao
