// SPDX-License-Identifier: Apache-2.0
#include "learn/training/train_state.h"

#include "learn/files/tensor_file.h"

namespace qiao::learn {
namespace {

NamedTensors tensors_of(AdamW& optimiser) {
  NamedTensors out;
  for (std::size_t i = 0; i < optimiser.weights().size(); ++i) {
    const LearningWeight& weight = optimiser.weights()[i];
    const AdamW::Moments& moments = optimiser.moments()[i];
    out.emplace_back("weight/" + weight.name, weight.tensor);
    out.emplace_back("first/" + weight.name, moments.first);
    out.emplace_back("second/" + weight.name, moments.second);
    out.emplace_back("steps/" + weight.name, moments.steps);
    if (moments.mean.defined()) out.emplace_back("mean/" + weight.name, moments.mean);
  }
  return out;
}

Json to_json(const TrainState& state) {
  return {{"identity", state.identity},
          {"epoch", state.epoch},
          {"batch_in_epoch", state.batch_in_epoch},
          {"step", state.step},
          {"notes", state.notes}};
}

Status same_identity(const Json& ours, const Json& theirs) {
  for (const auto& [key, value] : ours.items()) {
    const auto found = theirs.find(key);
    if (found != theirs.end() && *found == value) continue;
    return Error{Code::kPrecondition,
                 "the saved training had another " + key +
                     ": go on with the same options, or begin anew without --resume"};
  }
  return {};
}

// The tensors carry the step they belong to: a crash between the two files is seen.
std::string tensor_path(const std::string& folder, std::int64_t step) {
  return folder + "/state-" + std::to_string(step) + ".safetensors";
}

}  // namespace

Status save_state(Disk& disk, const std::string& folder, const TrainState& state,
                  AdamW& optimiser) {
  QIAO_TRY(save_tensors(disk, tensor_path(folder, state.step), tensors_of(optimiser)));
  QIAO_TRY(write_file_atomic(disk, folder + "/state.json", dump_json(to_json(state)) + "\n"));
  QIAO_ASSIGN(const auto names, disk.list(folder));
  const std::string kept = "state-" + std::to_string(state.step) + ".safetensors";
  for (const std::string& name : names) {
    if (name.starts_with("state-") && name != kept) QIAO_TRY(disk.remove(folder + "/" + name));
  }
  return {};
}

Result<TrainState> load_state(const std::string& folder, const Json& identity, AdamW& optimiser) {
  auto text = read_file(folder + "/state.json");
  if (!text)
    return not_found("there is no saved training in " + folder + ": begin without --resume");
  const Json json = parse_json(*text).value_or(Json());
  if (!json.is_object()) return Error{Code::kCorrupt, folder + "/state.json is damaged"};
  TrainState state;
  state.identity = json.value("identity", Json::object());
  state.notes = json.value("notes", Json::object());
  state.epoch = json_integer(json, "epoch").value_or(-1);
  state.batch_in_epoch = json_integer(json, "batch_in_epoch").value_or(-1);
  state.step = json_integer(json, "step").value_or(-1);
  if (state.epoch < 0 || state.batch_in_epoch < 0 || state.step < 0) {
    return Error{Code::kCorrupt, folder + "/state.json is damaged"};
  }
  QIAO_TRY(same_identity(identity, state.identity));
  QIAO_TRY(load_tensors(tensor_path(folder, state.step), tensors_of(optimiser)));
  return state;
}

}  // namespace qiao::learn
