// SPDX-License-Identifier: Apache-2.0
#include "learn/files/model_place.h"

#include "learn/files/decoder_folder.h"
#include "learn/files/gguf_file.h"
#include "learn/files/json_file.h"
#include "model/catalogue/catalogue.h"

namespace qiao::learn {

namespace fs = std::filesystem;

Result<fs::path> find_model(const std::string& place) {
  std::error_code fault;
  if (fs::exists(place, fault)) return fs::path(place);
  const fs::path installed = fs::path(default_models_directory()) / place;
  if (place.find('/') == std::string::npos && fs::exists(installed, fault)) return installed;
  return not_found("there is no model \"" + place +
                   "\": give a folder, a GGUF file, or a name that `qiao model ls` shows");
}

Result<bool> is_encoder(const std::string& place) {
  QIAO_ASSIGN(const fs::path path, find_model(place));
  std::error_code fault;
  if (fs::exists(path / "config.json", fault)) {
    QIAO_ASSIGN(const Json config, read_json_file((path / "config.json").string()));
    return !config.contains("architecture") && !is_decoder_config(config);  // ours, theirs
  }
  const bool folder = fs::is_directory(path, fault);
  const fs::path gguf = folder ? path / "model.gguf" : path;
  if (gguf.extension() != ".gguf" || !fs::exists(gguf, fault)) {
    return invalid_argument(path.string() +
                            " is no model: give a GGUF file, or a folder with model.gguf or with "
                            "config.json, weights (model.safetensors, model.onnx) and tokenizer");
  }
  QIAO_ASSIGN(const auto file, GgufFile::open(gguf.string()));
  QIAO_ASSIGN(const std::string architecture, file->text("general.architecture"));
  return architecture.find("bert") != std::string::npos;
}

}  // namespace qiao::learn
