// SPDX-License-Identifier: Apache-2.0
#include "learn/files/bundle.h"

#include <deque>
#include <utility>

#include "learn/files/base_model.h"
#include "learn/files/json_file.h"
#include "learn/files/model_card.h"
#include "learn/files/tensor_file.h"
#include "model/bundle/head_tensors.h"
#include "model/bundle/safetensors_writer.h"
#include "model/gguf/int8_rows.h"

namespace qiao::learn {
namespace {

constexpr const char* kInt8Weights = "int8";

Json config_of(const Bundle& bundle) {
  Json config = config_of_shape(bundle.shape);
  config["architectures"] = {bundle.task == Task::kTag ? "BertForTokenClassification"
                                                       : "BertForSequenceClassification"};
  config["num_labels"] = bundle.labels.size();
  if (bundle.task == Task::kRegress) config["problem_type"] = "regression";  // Hugging Face's key
  config["qiao"]["task"] = name_of(bundle.task);
  config["qiao"]["tokens_max"] = bundle.tokens_max;
  if (bundle.int8) config["qiao"]["weights"] = kInt8Weights;
  return config;
}

// The tables of positions and segments are small and the head is ours: they stay as they are.
bool is_int8_matrix(const std::string& name, const torch::Tensor& tensor) {
  return tensor.dim() == 2 && !name.starts_with("classifier.") &&
         name.find("position_embeddings") == std::string::npos &&
         name.find("token_type_embeddings") == std::string::npos;
}

Status save_int8(Disk& disk, const std::string& path, const NamedTensors& weights) {
  std::vector<torch::Tensor> plain;  // what the rows below point into
  std::deque<model::Int8Rows> matrices;
  std::vector<model::NamedValues> rows;
  for (const auto& [name, tensor] : weights) {
    const torch::Tensor flat = tensor.detach().cpu().to(torch::kFloat).contiguous();
    plain.push_back(flat);
    if (!is_int8_matrix(name, flat)) {
      rows.push_back({name, flat.sizes().vec(), flat.data_ptr<float>()});
      continue;
    }
    const auto count = static_cast<std::size_t>(flat.numel());
    matrices.push_back(model::quantise_rows({flat.data_ptr<float>(), count},
                                            static_cast<std::size_t>(flat.size(1))));
    const model::Int8Rows& made = matrices.back();
    rows.push_back({name, flat.sizes().vec(), nullptr, made.numbers.data()});
    rows.push_back({name + "_scale", {flat.size(0)}, made.scales.data()});
  }
  return model::write_safetensors(disk, path, rows, {{"format", "pt"}});
}

// The names of a list; empty when it is none of texts alone.
std::vector<std::string> names_of(const Json& json) {
  std::vector<std::string> names;
  for (const Json& item : json.is_array() ? json : Json::array()) {
    if (item.is_string()) names.push_back(item.get<std::string>());
  }
  if (names.size() != json.size() || names.size() > kLabelsMax) names.clear();
  return names;
}

Result<Labels> heads_of(const Json& json, const std::string& path) {
  const Error none{Code::kCorrupt, path + " is no object of lists of labels"};
  if (!json.is_object() || json.empty()) return none;
  std::vector<LabelHead> heads;
  for (const auto& [name, list] : json.items()) {
    heads.push_back({name, Labels(names_of(list))});
    if (heads.back().labels.size() < 2) return none;
  }
  return Labels::of_heads(std::move(heads));
}

Result<Labels> read_labels(const std::string& path, Task task) {
  QIAO_ASSIGN(const Json json, read_json_file(path));
  if (task == Task::kHeads) return heads_of(json, path);
  std::vector<std::string> names = names_of(json);
  if (task == Task::kRegress ? names.size() != 1 : names.size() < 2) {
    return Error{Code::kCorrupt, path + " is no list of labels"};
  }
  return Labels(std::move(names));
}

Json json_of(const Labels& labels) {
  if (labels.heads().empty()) return labels.names();
  Json json = Json::object();
  for (const LabelHead& head : labels.heads()) json[head.name] = head.labels.names();
  return json;
}

Result<Json> read_config(const std::string& folder) {
  const std::string path = folder + "/config.json";
  QIAO_ASSIGN(Json config, read_json_file(path));
  if (!config.is_object()) return Error{Code::kCorrupt, path + ": an object is wanted"};
  return config;
}

}  // namespace

std::string_view name_of(Task task) {
  if (task == Task::kPair) return "pair";
  if (task == Task::kRegress) return "regress";
  if (task == Task::kHeads) return "heads";
  return task == Task::kTag ? "tag" : "classify";
}

Result<Task> parse_task(std::string_view name) {
  if (name == "classify") return Task::kClassify;
  if (name == "tag") return Task::kTag;
  if (name == "pair") return Task::kPair;
  if (name == "regress") return Task::kRegress;
  if (name == "heads") return Task::kHeads;
  return invalid_argument("there is no task \"" + std::string(name) +
                          "\": classify, regress, tag, pair or heads");
}

bool is_bundle(Disk& disk, const std::string& place) {
  return disk.exists(place + "/labels.json");
}

Status save_bundle(Disk& disk, const std::string& folder, const Bundle& bundle) {
  const std::string at = folder + "/";
  NamedTensors weights = weights_of(bundle.model);
  for (auto& [name, tensor] : weights) {
    if (!name.starts_with("classifier.")) name.insert(0, "bert.");
  }
  const std::string path = at + "model.safetensors";
  QIAO_TRY(bundle.int8 ? save_int8(disk, path, weights)
                       : save_tensors(disk, path, weights, {{"format", "pt"}}));
  QIAO_TRY(write_json_file(disk, at + "config.json", config_of(bundle)));
  QIAO_TRY(write_file_atomic(disk, at + "tokenizer.json",
                             model::tokenizer_json(bundle.tokenizer) + "\n"));
  QIAO_TRY(write_json_file(disk, at + "labels.json", json_of(bundle.labels)));
  return write_card(disk, folder, bundle.card);
}

Result<Task> task_of_bundle(const std::string& folder) {
  QIAO_ASSIGN(const Json config, read_config(folder));
  return parse_task(json_string(config.value("qiao", Json::object()), "task").value_or(""));
}

Result<Bundle> load_bundle(const std::string& folder) {
  SystemDisk disk;
  if (!is_bundle(disk, folder)) {
    return not_found(folder + " is no bundle: it has no labels.json");
  }
  QIAO_ASSIGN(const Json config, read_config(folder));
  const Json own = config.value("qiao", Json::object());
  QIAO_ASSIGN(const Task task, parse_task(json_string(own, "task").value_or("")));
  QIAO_ASSIGN(Labels labels, read_labels(folder + "/labels.json", task));
  QIAO_ASSIGN(BaseModel base, open_base(folder));
  const std::int64_t tokens_max = json_integer(own, "tokens_max").value_or(base.shape.positions);
  if (tokens_max < 2 || tokens_max > base.shape.positions) {
    return Error{Code::kCorrupt, folder + "/config.json: qiao.tokens_max is impossible"};
  }
  TextModel model(base.shape, task, static_cast<std::int64_t>(labels.size()), 0.0);
  NamedTensors wanted = weights_of(model);
  // Bundles made before transitions were learnt have none: they stay 0.
  std::erase_if(wanted, [&](const auto& one) {
    return one.first == model::kHeadTransitions && !base.weights->has(model::kHeadTransitions);
  });
  if (Status loaded = load_weights(wanted, *base.weights); !loaded) {
    return std::move(loaded.error()).with(folder + "/model.safetensors");
  }
  model->eval();
  QIAO_ASSIGN(Json card, read_json_file(folder + "/card.json"));
  return Bundle{base.shape,
                task,
                static_cast<std::size_t>(tokens_max),
                std::move(base.tokenizer),
                std::move(labels),
                model,
                std::move(card),
                json_string(own, "weights") == kInt8Weights};
}

}  // namespace qiao::learn
