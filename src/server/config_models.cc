// SPDX-License-Identifier: Apache-2.0
#include "server/config_models.h"

#include <filesystem>
#include <optional>

namespace qiao::server {
namespace {

constexpr std::int64_t kThreadsMost = 1'024;
constexpr std::int64_t kRequestsMost = 1 << 16;
constexpr std::int64_t kHangMost = 86'400;  // a day

template <class T>
void take_integer(YamlReader& reader, const YamlNode& node, std::string_view key,
                  std::int64_t least, std::int64_t most, T& out) {
  const auto value = reader.get_integer(key);
  if (!value) return;
  if (*value < least || *value > most) {
    reader.fault(*node.find(key), "'" + std::string(key) + "' must be from " +
                                      std::to_string(least) + " to " + std::to_string(most));
    return;
  }
  out = static_cast<T>(*value);
}

void take(std::optional<std::string> value, std::string& out) {
  if (value) out = std::move(*value);
}

void check_engine(YamlReader& reader, const YamlNode& node, const ModelOptions& options) {
  const std::string& engine = options.engine;
  if (engine != "worker" && engine != "in-process" && engine != "provider" &&
      engine != "scripted") {
    reader.fault(node, "'engine' is worker, in-process, provider or scripted");
  } else if (engine == "provider" && (options.url.empty() || options.remote_name.empty())) {
    reader.fault(node, "a provider's model needs 'url' and 'remote_name'");
  } else if (engine != "provider" && options.path.empty()) {
    reader.fault(node, "the model needs 'path', the file it is in");
  }
  const bool local = engine == "worker" || engine == "in-process";
  if (!options.adapter.empty() && (!local || options.encoder)) {
    reader.fault(node, "'adapter' belongs to a chat model of a file");
  }
  if (!options.pooling.empty() && options.pooling != "cls" && options.pooling != "mean") {
    reader.fault(node, "'pooling' is cls or mean");
  }
}

ModelOptions read_model(YamlReader& outer, const std::string& name, const YamlNode& node) {
  YamlReader reader(node);
  ModelOptions options;
  options.name = name;
  options.engine = reader.get_string("engine").value_or("worker");
  take(reader.get_string("path"), options.path);
  take(reader.get_string("adapter"), options.adapter);
  take(reader.get_string("pooling"), options.pooling);
  take(reader.get_string("url"), options.url);
  take(reader.get_string("api_key_env"), options.api_key_env);
  take(reader.get_string("remote_name"), options.remote_name);
  options.encoder = reader.get_bool("encoder").value_or(name.starts_with("encoder"));
  take_integer(reader, node, "threads", 0, kThreadsMost, options.threads);
  take_integer(reader, node, "slots", 1, kSlotsMax, options.slots);
  take_integer(reader, node, "context_tokens", kContextTokensMin, kContextTokensMax,
               options.context_tokens);
  take_integer(reader, node, "requests_max", 1, kRequestsMost, options.requests_max);
  take_integer(reader, node, "hang_s", 1, kHangMost, options.hang_s);
  take_integer(reader, node, "memory_bytes_max", 0, INT64_MAX, options.memory_bytes_max);
  if (node.kind == YamlNode::Kind::kMap) check_engine(reader, node, options);
  outer.merge(reader);
  const std::string folder = std::filesystem::path(node.file).parent_path().string();
  for (std::string* file : {&options.path, &options.adapter}) {
    if (!file->empty()) *file = path_from(folder, *file);
  }
  return options;
}

}  // namespace

std::string path_from(const std::string& directory, const std::string& path) {
  return (std::filesystem::path(directory) / path).lexically_normal().string();
}

std::map<std::string, ModelOptions> read_models(YamlReader& outer, const YamlNode& models) {
  std::map<std::string, ModelOptions> out;
  if (models.kind != YamlNode::Kind::kMap) {
    outer.fault(models, "'models' must be a map from a model's name to its settings");
    return out;
  }
  for (const auto& [name, node] : models.entries) out[name] = read_model(outer, name, node);
  return out;
}

}  // namespace qiao::server
