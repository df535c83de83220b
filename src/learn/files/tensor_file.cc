// SPDX-License-Identifier: Apache-2.0
#include "learn/files/tensor_file.h"

#include "model/bundle/safetensors_writer.h"
#include "model/convert/convert_safetensors.h"

namespace qiao::learn {

Status save_tensors(Disk& disk, const std::string& path, const NamedTensors& tensors,
                    const std::map<std::string, std::string>& metadata) {
  std::vector<torch::Tensor> kept;  // what the rows below point into
  std::vector<model::NamedValues> rows;
  for (const auto& [name, tensor] : tensors) {
    kept.push_back(tensor.detach().cpu().to(torch::kFloat).contiguous());
    rows.push_back({name, kept.back().sizes().vec(), kept.back().data_ptr<float>()});
  }
  return model::write_safetensors(disk, path, rows, metadata);
}

Status load_tensors(const std::string& path, const NamedTensors& targets) {
  QIAO_ASSIGN(const auto file, model::open_safetensors(path));
  if (Status loaded = load_weights(targets, *file); !loaded) {
    return std::move(loaded.error()).with(path);
  }
  return {};
}

}  // namespace qiao::learn
