// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
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
  if (place.find("://") != std::string::npos)
    place.erase(std::min(place.find_first_of("?#"), place.size()));
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

// What sentence-transformers writes beside a model; mean is its default.
std::string pooling_of(const std::string& folder) {
  const Result<std::string> text = read_file(folder + "/1_Pooling/config.json", 1 << 20);
  const Result<Json> json = text ? parse_json(*text) : Result<Json>(text.error());
  return json && json_bool(*json, "pooling_mode_cls_token").value_or(false) ? "cls" : "mean";
}

Result<CatalogueEntry> entry_of_folder(const std::string& folder) {
  CatalogueEntry entry;
  entry.kind = "encoder";
  entry.hints.pooling = entry.pooling = pooling_of(folder);
  entry.sources = {{"file", {}, false}};
  const auto add = [&](const std::string& name) {
    std::error_code fault;
    const std::uint64_t bytes = fs::file_size(folder + "/" + name, fault);
    if (fault) return false;
    entry.files.push_back({name, bytes, ""});
    entry.bytes += bytes;
    entry.sources[0].parts.push_back({folder + "/" + name, "", name});
    return true;
  };
  if (add("model.safetensors")) {
    entry.convert = "bert-safetensors";
  } else if (add("model.onnx")) {
    entry.convert = "bert-onnx";
  } else {
    return not_found(folder + " holds no model.safetensors or model.onnx");
  }
  if (!add("tokenizer.json") && !add("vocab.txt")) {
    return not_found(folder + " holds no tokenizer.json or vocab.txt");
  }
  if (!add("config.json")) return not_found(folder + " holds no config.json");
  return entry;
}

Result<CatalogueEntry> entry_of_place(const std::string& place) {
  if (place.starts_with("https://") || place.starts_with("http://")) {
    return entry_of_one_file("url", place);
  }
  std::error_code fault;
  const std::string path = fs::absolute(place, fault).string();
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
