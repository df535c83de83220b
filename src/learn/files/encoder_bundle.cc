// SPDX-License-Identifier: Apache-2.0
#include "learn/files/encoder_bundle.h"

#include "learn/files/json_file.h"
#include "learn/files/model_card.h"
#include "learn/files/tensor_file.h"

namespace qiao::learn {

Status save_encoder(Disk& disk, const std::string& folder, const EncoderBundle& bundle) {
  NamedTensors weights = bundle.weights;
  bool guesses = false;
  for (auto& [name, tensor] : weights) {
    const bool head = name.starts_with("cls.");
    guesses = guesses || head;
    if (!head) name.insert(0, "bert.");
  }
  QIAO_TRY(save_tensors(disk, folder + "/model.safetensors", weights, {{"format", "pt"}}));
  Json config = config_of_shape(bundle.shape);
  if (guesses) config["architectures"] = {"BertForMaskedLM"};
  QIAO_TRY(write_json_file(disk, folder + "/config.json", config));
  QIAO_TRY(write_file_atomic(disk, folder + "/tokenizer.json",
                             model::tokenizer_json(bundle.tokenizer) + "\n"));
  return write_card(disk, folder, bundle.card);
}

}  // namespace qiao::learn
