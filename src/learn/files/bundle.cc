// SPDX-License-Identifier: Apache-2.0
#include "learn/files/bundle.h"

#include <utility>

#include "learn/files/base_model.h"
#include "learn/files/tensor_file.h"

namespace qiao::learn {
namespace {

constexpr int kIndent = 2;

Json config_of(const Bundle& bundle) {
  Json config = config_of_shape(bundle.shape);
  config["architectures"] = {bundle.task == Task::kTag ? "BertForTokenClassification"
                                                       : "BertForSequenceClassification"};
  config["num_labels"] = bundle.labels.size();
  config["qiao"]["task"] = name_of(bundle.task);
  config["qiao"]["tokens_max"] = bundle.tokens_max;
  return config;
}

Result<Labels> read_labels(const std::string& path) {
  QIAO_ASSIGN(const std::string text, read_file(path));
  QIAO_ASSIGN(const Json json, parse_json(text));
  std::vector<std::string> names;
  for (const Json& item : json.is_array() ? json : Json::array()) {
    if (item.is_string()) names.push_back(item.get<std::string>());
  }
  if (names.size() < 2 || names.size() != json.size() || names.size() > kLabelsMax) {
    return Error{Code::kCorrupt, path + " is no list of labels"};
  }
  return Labels(std::move(names));
}

}  // namespace

std::string_view name_of(Task task) {
  if (task == Task::kPair) return "pair";
  return task == Task::kTag ? "tag" : "classify";
}

Result<Task> parse_task(std::string_view name) {
  if (name == "classify") return Task::kClassify;
  if (name == "tag") return Task::kTag;
  if (name == "pair") return Task::kPair;
  return invalid_argument("there is no task \"" + std::string(name) + "\": classify, tag or pair");
}

Status save_bundle(Disk& disk, const std::string& folder, const Bundle& bundle) {
  const std::string at = folder + "/";
  NamedTensors weights = weights_of(bundle.model);
  for (auto& [name, tensor] : weights) {
    if (!name.starts_with("classifier.")) name.insert(0, "bert.");
  }
  QIAO_TRY(save_tensors(disk, at + "model.safetensors", weights, {{"format", "pt"}}));
  const std::pair<const char*, std::string> files[] = {
      {"config.json", dump_json(config_of(bundle), kIndent)},
      {"tokenizer.json", model::tokenizer_json(bundle.tokenizer)},
      {"labels.json", dump_json(Json(bundle.labels.names()), kIndent)},
      {"card.json", dump_json(bundle.card, kIndent)}};
  for (const auto& [name, text] : files) QIAO_TRY(write_file_atomic(disk, at + name, text + "\n"));
  return {};
}

Result<Bundle> load_bundle(const std::string& folder) {
  SystemDisk disk;
  if (!disk.exists(folder + "/labels.json")) {
    return not_found(folder + " is no bundle: it has no labels.json");
  }
  QIAO_ASSIGN(const std::string text, read_file(folder + "/config.json"));
  QIAO_ASSIGN(const Json config, parse_json(text));
  const Json own = config.value("qiao", Json::object());
  QIAO_ASSIGN(const Task task, parse_task(json_string(own, "task").value_or("")));
  QIAO_ASSIGN(Labels labels, read_labels(folder + "/labels.json"));
  QIAO_ASSIGN(BaseModel base, open_base(folder));
  const std::int64_t tokens_max = json_integer(own, "tokens_max").value_or(base.shape.positions);
  if (tokens_max < 2 || tokens_max > base.shape.positions) {
    return Error{Code::kCorrupt, folder + "/config.json: qiao.tokens_max is impossible"};
  }
  TextModel model(base.shape, task, static_cast<std::int64_t>(labels.size()), 0.0);
  if (Status loaded = load_weights(weights_of(model), *base.weights); !loaded) {
    return std::move(loaded.error()).with(folder + "/model.safetensors");
  }
  model->eval();
  QIAO_ASSIGN(const std::string card_text, read_file(folder + "/card.json"));
  QIAO_ASSIGN(Json card, parse_json(card_text));
  return Bundle{base.shape,
                task,
                static_cast<std::size_t>(tokens_max),
                std::move(base.tokenizer),
                std::move(labels),
                model,
                std::move(card)};
}

}  // namespace qiao::learn
