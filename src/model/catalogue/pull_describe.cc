// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <utility>

#include "base/disk.h"
#include "base/json.h"
#include "model/catalogue/catalogue.h"
#include "model/catalogue/pull_place.h"

namespace qiao {
namespace model {
namespace {

namespace fs = std::filesystem;

// "https://host/a/Tiny-Chat.Q4.gguf?x=1" → "Tiny-Chat.Q4".
std::string name_from(std::string place) {
  if (place.find("://") != std::string::npos) {
    place.erase(std::min(place.find_first_of("?#"), place.size()));
  } else {
    std::error_code fault;
    place = fs::absolute(place, fault).lexically_normal().string();  // "." has a name, too
  }
  while (place.size() > 1 && place.back() == '/') place.pop_back();
  std::string name = fs::path(place).filename().string();
  if (name.ends_with(".gguf")) name.erase(name.size() - 5);
  for (char& c : name) {
    if (!is_model_name(std::string("a") + c)) c = '-';
  }
  return name.substr(0, 64);
}

CatalogueEntry entry_of_one_file(const std::string& client, const std::string& place) {
  CatalogueEntry entry;
  entry.kind = "generator";
  entry.files = {{"model.gguf", 0, ""}};
  entry.sources = {{client, {{place, "", "model.gguf"}}, false}};
  return entry;
}

// The object in a small file of `folder`; empty when it is not there or no object.
Json object_in(const std::string& folder, const std::string& name) {
  const Result<std::string> text = read_file(folder + "/" + name, 1 << 20);
  const Result<Json> json = text ? parse_json(*text) : Result<Json>(text.error());
  return json && json->is_object() ? *json : Json::object();
}

// What sentence-transformers writes beside a model; mean is its default.
Result<std::string> pooling_of(const std::string& folder) {
  const Json config = object_in(folder, "1_Pooling/config.json");
  const auto uses = [&](const char* key) { return json_bool(config, key).value_or(false); };
  if (uses("pooling_mode_cls_token")) return "cls";
  if (config.empty() || uses("pooling_mode_mean_tokens")) return "mean";
  return Error{Code::kUnsupported,
               folder + "/1_Pooling/config.json asks for another pooling than cls or mean"};
}

// Layers behind the pooling change the vectors, and no GGUF holds them.
Status check_modules(const std::string& folder) {
  const Result<std::string> text = read_file(folder + "/modules.json", 1 << 20);
  const Result<Json> modules = text ? parse_json(*text) : Result<Json>(text.error());
  if (!modules || !modules->is_array()) return {};
  for (const Json& module : *modules) {
    const std::string type = json_string(module, "type").value_or("");
    if (type.ends_with(".Transformer") || type.ends_with(".Pooling") ||
        type.ends_with(".Normalize")) {
      continue;
    }
    return Error{Code::kUnsupported,
                 folder + "/modules.json names " + type + ", which is not converted"};
  }
  return {};
}

// The first of `names` that is a file in `folder`; "" when none is.
std::string first_of(const std::string& folder, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    std::error_code fault;
    if (fs::is_regular_file(folder + "/" + name, fault)) return name;
  }
  return {};
}

struct FolderFiles {
  std::string weights;
  std::string tokenizer;
  std::string config;
};

// All that is missing at once.
Result<FolderFiles> find_files(const std::string& folder) {
  FolderFiles files{first_of(folder, {"model.safetensors", "model.onnx", "onnx/model.onnx"}),
                    first_of(folder, {"tokenizer.json", "vocab.txt"}),
                    first_of(folder, {"config.json"})};
  std::string missing;
  for (const auto& [found, names] : {std::pair(&files.weights, "model.safetensors or model.onnx"),
                                     {&files.tokenizer, "tokenizer.json or vocab.txt"},
                                     {&files.config, "config.json"}}) {
    if (found->empty()) missing.append(missing.empty() ? "" : ", ").append(names);
  }
  if (missing.empty()) return files;
  std::string message = folder + " is no folder of an encoder: it lacks " + missing;
  const std::string other = first_of(folder, {"model.safetensors.index.json", "pytorch_model.bin",
                                              "pytorch_model.bin.index.json"});
  if (files.weights.empty() && !other.empty()) {
    message += "; " + other + " is not read: save the weights as one model.safetensors";
  }
  return not_found(std::move(message));
}

Result<CatalogueEntry> entry_of_folder(const std::string& folder) {
  QIAO_ASSIGN(const FolderFiles files, find_files(folder));
  QIAO_TRY(check_modules(folder));
  CatalogueEntry entry;
  entry.kind = "encoder";
  QIAO_ASSIGN(entry.pooling, pooling_of(folder));
  entry.hints.pooling = entry.pooling;
  entry.convert = files.weights.ends_with(".onnx") ? "bert-onnx" : "bert-safetensors";
  if (files.tokenizer == "vocab.txt") {  // which does not say it itself
    const auto lower = json_bool(object_in(folder, "tokenizer_config.json"), "do_lower_case");
    if (lower) entry.hints.lowercase = *lower ? 1 : 0;
  }
  entry.sources = {{"file", {}, false}};
  for (const std::string& file : {files.weights, files.tokenizer, files.config}) {
    std::error_code fault;
    const std::string name = fs::path(file).filename().string();
    entry.files.push_back({name, fs::file_size(folder + "/" + file, fault), ""});
    entry.bytes += entry.files.back().bytes;
    entry.sources[0].parts.push_back({folder + "/" + file, "", name});
  }
  return entry;
}

Result<CatalogueEntry> entry_of_place(const std::string& place) {
  if (place.starts_with("https://") || place.starts_with("http://")) {
    return entry_of_one_file("url", place);
  }
  std::error_code fault;
  std::string path = fs::absolute(place, fault).lexically_normal().string();
  if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (fs::is_directory(path, fault)) return entry_of_folder(path);
  if (!fs::is_regular_file(path, fault)) {
    return not_found(place + " is no model of the catalogue, no file, no folder and no address");
  }
  CatalogueEntry entry = entry_of_one_file("file", path);
  entry.files[0].bytes = entry.bytes = fs::file_size(path, fault);
  return entry;
}

}  // namespace
}  // namespace model

Result<CatalogueEntry> describe_place(const std::string& place, const std::string& name) {
  QIAO_ASSIGN(CatalogueEntry entry, model::entry_of_place(place));
  entry.name = name.empty() ? model::name_from(place) : name;
  QIAO_TRY(model::check_model_name(entry.name));
  entry.title = place;
  entry.licence = "as its owner says";
  return entry;
}

}  // namespace qiao
