// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "base/disk.h"
#include "base/logging.h"
#include "base/yaml.h"
#include "server/config_models.h"

namespace qiao {
namespace {

constexpr std::string_view kDefaultFile = "qiao.yaml";
constexpr std::int64_t kBodyBytesLeast = 1 << 10;
constexpr std::int64_t kBodyBytesMost = 1 << 30;
constexpr std::int64_t kGraceMsMost = 10 * 60 * 1'000;
constexpr std::size_t kKeyBytesLeast = 8;

// One source as a map of keys. What stands in variables and flags is read by the same rules as
// YAML, so that "yes" and "10s" mean the same everywhere.
struct Source {
  YamlNode map;
  std::function<std::string(const std::string& key, const YamlNode& value)> origin;
};

// Takes the keys of one source into the config, and notes every fault at its place.
class Merger {
 public:
  Merger(const Source& source, ServerConfig& config)
      : source_(source), reader_(source.map), config_(config) {}

  Status merge() {
    take_path("data", config_.data);
    take("listen", config_.listen, [](const std::string& text) { return parse_listen(text); });
    take("key", config_.key, check_key);
    take("log", config_.log_backend, check_backend);
    if (const auto value = reader_.get_bool("fsync")) config_.fsync = *value;
    take_flows();
    take_path("models_directory", config_.models_directory);
    if (auto value = reader_.get_string("chat_model")) config_.chat_model = std::move(*value);
    take_models();
    take("log_level", config_.log_level,
         [](const std::string& text) { return parse_log_level(text); });
    take_language();
    take_limits();
    note_origins();
    return reader_.finish();
  }

 private:
  static Status check_key(const std::string& text) {
    if (text.size() >= kKeyBytesLeast) return {};
    return invalid_argument("'key' must have at least " + std::to_string(kKeyBytesLeast) +
                            " characters");
  }

  static Status check_backend(const std::string& text) {
    if (text == "segments" || text == "memory") return {};
    return invalid_argument("'log' is segments or memory");
  }

  void fault(std::string_view key, std::string message) {
    reader_.fault(*source_.map.find(key), std::move(message));
  }

  template <class Check>
  void take(std::string_view key, std::string& out, Check check) {
    auto value = reader_.get_string(key);
    if (!value) return;
    if (const auto good = check(*value); !good) {
      fault(key, good.error().message);
    } else {
      out = std::move(*value);
    }
  }

  // Paths in a file are seen from the file's folder.
  [[nodiscard]] std::string from_here(const std::string& path) const {
    const auto folder = std::filesystem::path(source_.map.file).parent_path();
    return folder.empty() ? path : server::path_from(folder.string(), path);
  }

  void take_path(std::string_view key, std::string& out) {
    if (const auto value = reader_.get_string(key)) out = from_here(*value);
  }

  void take_flows() {
    const auto value = reader_.get_strings("flows");
    if (!value) return;
    config_.flow_directories.clear();
    for (const std::string& path : *value) config_.flow_directories.push_back(from_here(path));
  }

  void take_models() {
    const YamlNode* node = reader_.get_node("models");
    if (node == nullptr) return;
    for (auto& [name, options] : server::read_models(reader_, *node)) {
      config_.models[name] = std::move(options);
    }
  }

  void take_language() {
    const auto value = reader_.get_string("language");
    if (!value) return;
    if (*value != "en" && *value != "zh") return fault("language", "'language' is en or zh");
    config_.language = *value == "zh" ? Language::kChinese : Language::kEnglish;
  }

  void take_limits() {
    if (const auto value = reader_.get_duration_ms("stop_grace")) {
      if (*value > kGraceMsMost) fault("stop_grace", "'stop_grace' is at most 10m");
      config_.stop_grace_ms = *value;
    }
    if (const auto value = reader_.get_integer("body_bytes_max")) {
      if (*value < kBodyBytesLeast || *value > kBodyBytesMost) {
        fault("body_bytes_max", "'body_bytes_max' must be from " + std::to_string(kBodyBytesLeast) +
                                    " to " + std::to_string(kBodyBytesMost));
      }
      config_.body_bytes_max = static_cast<std::size_t>(std::max<std::int64_t>(*value, 0));
    }
    if (const auto value = reader_.get_number("requests_per_second")) {
      if (*value < 0) fault("requests_per_second", "'requests_per_second' must not be negative");
      config_.requests_per_second = *value;
    }
  }

  void note_origins() {
    for (const auto& [key, value] : source_.map.entries) {
      config_.origin[key] = source_.origin(key, value);
    }
  }

  const Source& source_;
  YamlReader reader_;
  ServerConfig& config_;
};

YamlNode scalar(const std::string& place, const std::string& text) {
  YamlNode node;
  node.kind = YamlNode::Kind::kScalar;
  node.scalar = text;
  node.file = place;
  return node;
}

// A value of a variable or a flag; `flows` is a list separated by ':' as in PATH.
YamlNode value_node(std::string_view key, const std::string& place, const std::string& text) {
  if (key != "flows") return scalar(place, text);
  YamlNode list;
  list.kind = YamlNode::Kind::kList;
  list.file = place;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(':', begin), text.size());
    if (end > begin) list.items.push_back(scalar(place, text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return list;
}

std::string flag_name(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

Result<Source> file_source(const std::string& given) {
  Source source;
  source.origin = [](const std::string&, const YamlNode& value) {
    return value.file + ":" + std::to_string(value.line);
  };
  const std::string path = given.empty() ? std::string(kDefaultFile) : given;
  if (given.empty() && !std::filesystem::exists(path)) return source;
  QIAO_ASSIGN(source.map, load_yaml(path));
  source.map.file = path;
  return source;
}

Source environment_source() {
  Source source;
  source.map.kind = YamlNode::Kind::kMap;
  source.origin = [](const std::string&, const YamlNode& value) { return value.file; };
  for (const ConfigKey& key : config_keys()) {
    if (key.variable.empty()) continue;
    const std::string variable(key.variable);
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr || *value == '\0') continue;
    source.map.entries.push_back({std::string(key.name), value_node(key.name, variable, value)});
  }
  return source;
}

Source flag_source(const std::map<std::string, std::string>& flags) {
  Source source;
  source.map.kind = YamlNode::Kind::kMap;
  source.origin = [](const std::string& key, const YamlNode&) { return flag_name(key); };
  for (const auto& [key, value] : flags) {
    source.map.entries.push_back({key, value_node(key, flag_name(key), value)});
  }
  return source;
}

Status merge(const Source& source, ServerConfig& config) {
  Status merged = Merger(source, config).merge();
  if (merged) return merged;
  // Variables and flags have no lines.
  std::string& text = merged.error().message;
  for (std::size_t at = 0; (at = text.find(":0: ", at)) != std::string::npos;) text.erase(at, 2);
  return merged;
}

Json list_of(const std::vector<std::string>& items) {
  Json list = Json::array();
  for (const std::string& item : items) list.push_back(item);
  return list;
}

Json to_json(const ModelOptions& options) {
  Json json{{"engine", options.engine}};
  const auto put = [&json](const char* key, const std::string& value) {
    if (!value.empty()) json[key] = value;
  };
  put("path", options.path);
  put("adapter", options.adapter);
  put("url", options.url);
  put("remote_name", options.remote_name);
  put("api_key_env", options.api_key_env);
  json["encoder"] = options.encoder;
  json["slots"] = options.slots;
  json["context_tokens"] = options.context_tokens;
  return json;
}

Json values_of(const ServerConfig& config) {
  Json json;
  json["data"] = config.data;
  json["listen"] = config.listen;
  json["key"] = config.key.empty() ? "" : "(set)";
  json["log"] = config.log_backend;
  json["fsync"] = config.fsync;
  json["flows"] = list_of(config.flow_directories);
  json["models_directory"] = config.models_directory;
  json["chat_model"] = config.chat_model;
  json["models"] = Json::object();
  for (const auto& [name, options] : config.models) json["models"][name] = to_json(options);
  json["log_level"] = config.log_level;
  json["language"] = config.language == Language::kChinese ? "zh" : "en";
  json["stop_grace"] = std::to_string(config.stop_grace_ms) + "ms";
  json["body_bytes_max"] = config.body_bytes_max;
  json["requests_per_second"] = config.requests_per_second;
  return json;
}

}  // namespace

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> keys = {
      {"data", "QIAO_DATA"},
      {"listen", "QIAO_LISTEN"},
      {"key", "QIAO_KEY"},
      {"log", "QIAO_LOG"},
      {"fsync", "QIAO_FSYNC"},
      {"flows", "QIAO_FLOWS"},
      {"models_directory", "QIAO_MODELS"},
      {"chat_model", "QIAO_CHAT_MODEL"},
      {"models", ""},
      {"log_level", "QIAO_LOG_LEVEL"},
      {"language", "QIAO_LANGUAGE"},
      {"stop_grace", "QIAO_STOP_GRACE"},
      {"body_bytes_max", "QIAO_BODY_BYTES_MAX"},
      {"requests_per_second", "QIAO_REQUESTS_PER_SECOND"},
  };
  return keys;
}

Result<ServerConfig> load_config(const ConfigSources& sources) {
  ServerConfig config;
  config.language = environment_language();
  for (const ConfigKey& key : config_keys()) config.origin[std::string(key.name)] = "default";
  QIAO_ASSIGN(const Source file, file_source(sources.file));
  QIAO_TRY(merge(file, config));
  QIAO_TRY(merge(environment_source(), config));
  QIAO_TRY(merge(flag_source(sources.flags), config));
  return config;
}

Json to_json(const ServerConfig& config, bool with_origin) {
  const Json values = values_of(config);
  if (!with_origin) return values;
  Json json;
  for (const auto& [key, value] : values.items()) {
    const auto origin = config.origin.find(key);
    json[key] = {{"value", value},
                 {"origin", origin == config.origin.end() ? "default" : origin->second}};
  }
  return json;
}

Result<ListenAddress> parse_listen(std::string_view listen) {
  const Error fault = invalid_argument("'" + std::string(listen) +
                                       "' is no address to listen on; write HOST:PORT, for "
                                       "example 127.0.0.1:7411 or [::1]:7411");
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return fault;
  ListenAddress address;
  std::string_view host = listen.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  const std::string_view port = listen.substr(colon + 1);
  const auto [end, wrong] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (wrong != std::errc{} || end != port.data() + port.size() || host.empty()) return fault;
  address.host = std::string(host);
  return address;
}

bool is_loopback(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost" || host == "::1") return true;
  // Not "127.example.com".
  return host.starts_with("127.") &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace qiao
