// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/i18n.h"
#include "base/json.h"
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
  std::map<std::string, ModelOptions> models;  // by flow name: "chat", "encoder-zh", "encoder-en"
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

// Merges all sources. Errors: unknown key with file, line and nearest key; bad values.
Result<ServerConfig> load_config(const ConfigSources& sources);
Json to_json(const ServerConfig& config, bool with_origin);

}  // namespace qiao
