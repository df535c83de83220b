// SPDX-License-Identifier: Apache-2.0
#include "model/catalogue/pull_place.h"

#include <cstdlib>
#include <filesystem>

#include "base/digest.h"
#include "base/disk.h"
#include "base/json.h"

namespace qiao {
namespace fs = std::filesystem;
namespace model {

ModelPlace::ModelPlace(const std::string& models_directory, const std::string& name)
    : final_directory(models_directory + "/" + name),
      gguf(final_directory + "/model.gguf"),
      card(final_directory + "/card.json"),
      partial_directory(models_directory + "/.partial/" + name) {}

std::string ModelPlace::partial(const std::string& file) const {
  return partial_directory + "/" + file;
}

bool is_model_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= 64 &&
         std::string_view("._-").find(name[0]) == std::string_view::npos &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

Status check_model_name(std::string_view name) {
  if (is_model_name(name)) return {};
  return invalid_argument("\"" + std::string(name.substr(0, 100)) +
                          "\" is no model name: use 1 to 64 letters, digits, dots, _ and -");
}

Status remove_tree(const std::string& path) {
  std::error_code fault;
  fs::remove_all(path, fault);
  if (fault) return unavailable("cannot remove " + path + ": " + fault.message());
  return {};
}

std::uint64_t tree_bytes(const std::string& path) {
  std::uint64_t bytes = 0;
  std::error_code fault;  // files come and go while a client works: skip what vanished
  for (fs::recursive_directory_iterator at(path, fault), end; !fault && at != end;
       at.increment(fault)) {
    std::error_code gone;
    const bool counts = at->is_regular_file(gone) && !at->is_symlink(gone);
    const std::uint64_t size = counts ? at->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

Status write_card(const std::string& path, const ModelCard& card) {
  const Json json = {{"name", card.name},        {"kind", card.kind},
                     {"licence", card.licence},  {"source", card.source},
                     {"convert", card.convert},  {"converter", card.converter},
                     {"pooling", card.pooling},  {"fetched_sha256", card.fetched},
                     {"gguf_sha256", card.gguf}, {"gguf_bytes", card.bytes}};
  SystemDisk disk;
  return write_file_atomic(disk, path, dump_json(json, 2) + "\n");
}

Result<ModelCard> read_card(const std::string& path) {
  QIAO_ASSIGN(const std::string text, read_file(path, 1 << 20));
  auto parsed = parse_json(text);
  if (!parsed) return std::move(parsed.error()).with(path);
  const Json& json = *parsed;
  const auto text_of = [&](std::string_view key) { return json_string(json, key).value_or(""); };
  const std::int64_t bytes = json_integer(json, "gguf_bytes").value_or(-1);
  ModelCard card{text_of("name"),
                 text_of("kind"),
                 text_of("licence"),
                 text_of("source"),
                 text_of("fetched_sha256"),
                 text_of("gguf_sha256"),
                 static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0)),
                 text_of("convert"),
                 json_integer(json, "converter").value_or(0),
                 text_of("pooling")};
  if (bytes <= 0) return Error{Code::kCorrupt, path + " does not name the model's size"};
  return card;
}

}  // namespace model

Result<std::vector<InstalledModel>> list_models(const std::string& models_directory) {
  SystemDisk disk;
  std::vector<InstalledModel> models;
  if (!disk.exists(models_directory)) return models;
  QIAO_ASSIGN(const std::vector<std::string> names, disk.list(models_directory));
  for (const std::string& name : names) {
    const model::ModelPlace place(models_directory, name);
    const auto card = model::read_card(place.card);
    std::error_code fault;
    const std::uint64_t bytes = fs::file_size(place.gguf, fault);
    if (!card || fault || bytes != card->bytes) continue;
    models.push_back({name, place.gguf, card->kind, bytes, card->source, card->licence});
  }
  return models;
}

Result<void> remove_model(const std::string& models_directory, const std::string& name) {
  QIAO_TRY(model::check_model_name(name));
  const model::ModelPlace place(models_directory, name);
  SystemDisk disk;
  const bool partial = disk.exists(place.partial_directory);
  if (!disk.exists(place.final_directory) && !partial) {
    return not_found("no model " + name + " in " + models_directory);
  }
  if (partial) QIAO_TRY(model::remove_tree(place.partial_directory));
  return model::remove_tree(place.final_directory);
}

Result<void> verify_model(const std::string& models_directory, const std::string& name) {
  QIAO_TRY(model::check_model_name(name));
  const model::ModelPlace place(models_directory, name);
  QIAO_ASSIGN(const model::ModelCard card, model::read_card(place.card));
  QIAO_ASSIGN(const std::string found, sha256_file_hex(place.gguf));
  if (found == card.gguf) return {};
  return Error{Code::kCorrupt, place.gguf + " is damaged: its SHA-256 is " + found +
                                   ", its card says " + card.gguf +
                                   "; remove the model and pull it again"};
}

std::string default_models_directory() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (std::string own = variable("QIAO_MODELS"); !own.empty()) return own;
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) {
    return cache + "/qiao/models";
  }
  const std::string home = variable("HOME");
  return (home.empty() ? "." : home + "/.cache") + std::string("/qiao/models");
}

}  // namespace qiao
