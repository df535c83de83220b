// SPDX-License-Identifier: Apache-2.0
#include "model/bundle/bundle_store.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/digest.h"
#include "base/disk.h"
#include "model/catalogue/pull_place.h"

namespace qiao {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPromotedMax = 100;  // of what is remembered

std::string state_path(const model::ModelPlace& place) {
  return place.final_directory + "/bundle.json";
}

bool is_version(std::string_view text) {
  return text.size() == kVersionDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Status write_state(const model::ModelPlace& place, const BundleState& state) {
  Json promoted = Json::array();
  for (const PromotedVersion& one : state.promoted) {
    promoted.push_back({{"version", one.version}, {"at_ms", one.at_ms}});
  }
  SystemDisk disk;
  return write_file_atomic(disk, state_path(place),
                           dump_json(Json{{"promoted", std::move(promoted)}}, 2) + "\n");
}

// Versions that no promotion of late names go, but the newest `kVersionsMax` promoted stay.
void forget_old_versions(const model::ModelPlace& place, const BundleState& state) {
  std::set<std::string> kept;
  for (auto at = state.promoted.rbegin(); at != state.promoted.rend() && kept.size() < kVersionsMax;
       ++at) {
    kept.insert(at->version);
  }
  for (const PromotedVersion& one : state.promoted) {
    if (kept.contains(one.version)) continue;
    // What cannot be removed only takes room.
    static_cast<void>(model::remove_tree(place.final_directory + "/versions/" + one.version));
  }
}

// "classify", "tag" …; empty where config.json does not say.
Result<std::string> task_of(const std::string& folder) {
  QIAO_ASSIGN(const std::string text, read_file(folder + "/config.json"));
  QIAO_ASSIGN(const Json config, parse_json(text));
  const auto own = config.is_object() ? config.find("qiao") : config.end();
  return json_string(own == config.end() ? config : *own, "task").value_or("");
}

Result<InstalledBundle> describe(const std::string& models_directory, BundleState state) {
  QIAO_ASSIGN(const std::string folder,
              version_folder(models_directory, state.name, state.current()));
  InstalledBundle out;
  QIAO_ASSIGN(const std::string labels, read_file(folder + "/labels.json"));
  QIAO_ASSIGN(out.labels, parse_json(labels));
  QIAO_ASSIGN(out.task, task_of(folder));
  QIAO_ASSIGN(const std::string card, read_file(folder + "/card.json"));
  QIAO_ASSIGN(out.card, parse_json(card));
  out.bytes = model::tree_bytes(folder);
  out.state = std::move(state);
  return out;
}

}  // namespace

Result<std::string> version_folder(const std::string& models_directory, const std::string& name,
                                   std::string_view version) {
  QIAO_TRY(model::check_model_name(name));
  const std::string folder = models_directory + "/" + name + "/versions/" + std::string(version);
  std::error_code fault;
  if (is_version(version) && fs::exists(folder + "/import.json", fault)) return folder;
  return not_found("the bundle " + name + " has no version " +
                   std::string(version.substr(0, 4 * kVersionDigits)));
}

Status check_served(const std::string& name, const std::string& folder) {
  const std::string task = task_of(folder).value_or("");  // what is damaged is told on reading
  if (task != "regress" && task != "pair") return {};
  return Error{Code::kUnsupported,
               "the bundle " + name +
                   (task == "pair" ? " judges pairs of texts" : " tells a number") +
                   ", and a flow needs labels or tags of one text: train one with --task classify "
                   "or tag"};
}

Result<std::string> find_or_import(const std::string& models_directory, const std::string& name,
                                   const std::string& what) {
  const auto there = version_folder(models_directory, name, what);
  QIAO_TRY(check_served(name, there ? *there : what));
  return there ? what : import_bundle(models_directory, name, what);
}

Result<BundleState> read_bundle_state(const std::string& models_directory,
                                      const std::string& name) {
  QIAO_TRY(model::check_model_name(name));
  const std::string path = state_path(model::ModelPlace(models_directory, name));
  SystemDisk disk;
  if (!disk.exists(path)) {
    return not_found("the bundle " + name + " is not installed; `qiao model promote " + name +
                     " FOLDER` installs one that `qiao train finetune` wrote");
  }
  QIAO_ASSIGN(const std::string text, read_file(path, 1 << 20));
  auto json = parse_json(text);
  if (!json) return std::move(json.error()).with(path);
  BundleState state{name, {}};
  const auto promoted = json->is_object() ? json->find("promoted") : json->end();
  for (const Json& item : promoted == json->end() ? Json::array() : *promoted) {
    state.promoted.push_back(
        {json_string(item, "version").value_or(""), json_integer(item, "at_ms").value_or(0)});
    if (!is_version(state.promoted.back().version)) {
      return Error{Code::kCorrupt, path + ": a version's name is wrong"};
    }
  }
  if (state.promoted.empty()) return Error{Code::kCorrupt, path + " names no version"};
  return state;
}

Status promote_version(const std::string& models_directory, const std::string& name,
                       const std::string& version, std::int64_t at_ms) {
  QIAO_TRY(version_folder(models_directory, name, version));
  BundleState state{name, {}};
  if (auto before = read_bundle_state(models_directory, name)) {
    state = std::move(*before);
  } else if (before.error().code != Code::kNotFound) {
    return std::move(before.error());
  }
  if (state.current() == version) return {};
  state.promoted.push_back({version, at_ms});
  if (state.promoted.size() > kPromotedMax) state.promoted.erase(state.promoted.begin());
  const model::ModelPlace place(models_directory, name);
  QIAO_TRY(write_state(place, state));
  forget_old_versions(place, state);
  return {};
}

Result<std::string> roll_back_version(const std::string& models_directory,
                                      const std::string& name) {
  QIAO_ASSIGN(BundleState state, read_bundle_state(models_directory, name));
  if (state.promoted.size() < 2) {
    return Error{Code::kPrecondition,
                 "the bundle " + name + " has had one version only: there is none to go back to"};
  }
  state.promoted.pop_back();
  QIAO_TRY(version_folder(models_directory, name, state.current()));
  QIAO_TRY(write_state(model::ModelPlace(models_directory, name), state));
  return state.current();
}

Status verify_bundle(const std::string& models_directory, const std::string& name) {
  QIAO_TRY(model::check_model_name(name));
  SystemDisk disk;
  const std::string versions = models_directory + "/" + name + "/versions";
  QIAO_ASSIGN(const std::vector<std::string> all, disk.list(versions));
  for (const std::string& version : all) {
    const std::string folder = versions + "/" + version;
    QIAO_ASSIGN(const std::string text, read_file(folder + "/import.json"));
    QIAO_ASSIGN(const Json import, parse_json(text));
    const std::string encoder =
        folder + "/" + json_string(import, "encoder").value_or("model.gguf");
    QIAO_ASSIGN(const std::string found, sha256_file_hex(encoder));
    if (json_string(import, "gguf_sha256") == found) continue;
    return Error{Code::kCorrupt, encoder + " is damaged; promote the bundle again"};
  }
  return {};
}

Result<std::vector<InstalledBundle>> list_bundles(const std::string& models_directory) {
  SystemDisk disk;
  std::vector<InstalledBundle> bundles;
  if (!disk.exists(models_directory)) return bundles;
  QIAO_ASSIGN(const std::vector<std::string> names, disk.list(models_directory));
  for (const std::string& name : names) {
    auto state = read_bundle_state(models_directory, name);
    if (!state) continue;
    auto bundle = describe(models_directory, std::move(*state));
    if (bundle) bundles.push_back(std::move(*bundle));
  }
  return bundles;
}

}  // namespace qiao
