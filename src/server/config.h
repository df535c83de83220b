// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/language.h"
#include "base/result.h"
#include "model/open_model.h"

namespace qiao {

// Everything a server can be told, from defaults < qiao.yaml < environment < flags. Each value
// remembers where it came from; docs/reference/config.md lists the keys.
struct ServerConfig {
  std::string data = ".qiao";  // directory of log, history, key
  std::string listen = "127.0.0.1:7411";
  std::string key;                       // "": read from data/key, made there at first start
  std::string log_backend = "segments";  // or "memory"
  bool fsync = true;
  std::vector<std::string> flow_directories;
  std::string models_directory;                // "": default_models_directory()
  std::string chat_model;                      // "": the best one installed; "none": no chat model
  std::map<std::string, ModelOptions> models;  // by flow name: "chat", "encoder-zh", "encoder-en"
  std::string bundle_engine = "worker";        // of bundles; tests run them in this process
  std::string log_level = "info";
  Language language = Language::kEnglish;
  std::int64_t stop_grace_ms = 10'000;
  std::size_t body_bytes_max = 8 << 20;
  double requests_per_second = 0;  // per key, 0: no limit

  std::map<std::string, std::string>
      origin;  // key → "default", "qiao.yaml:3", "QIAO_LISTEN", "--listen"
};

struct ConfigSources {
  std::string file;                          // "": ./qiao.yaml when it is there
  std::map<std::string, std::string> flags;  // key → value, as given on the command line
};

// One key, for documents, completion and messages.
struct ConfigKey {
  std::string_view name;
  std::string_view variable;  // its environment variable; "" for `models`, which is a map
};
const std::vector<ConfigKey>& config_keys();

// Merges all sources. Errors: unknown key with file, line and nearest key; bad values. Lists of
// directories in variables and flags are separated by ':'.
Result<ServerConfig> load_config(const ConfigSources& sources);
// Every key with its value, and with `with_origin` where the value came from. The API key is
// never in it.
Json to_json(const ServerConfig& config, bool with_origin);

// Host and port of `listen`; an IPv6 address stands in brackets.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};
Result<ListenAddress> parse_listen(std::string_view listen);
bool is_loopback(std::string_view host);

}  // namespace qiao
