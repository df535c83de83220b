// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "base/disk.h"
#include "model/gguf/gguf_check.h"
#include "model/llama/local_model.h"

// Built without llama.cpp there are providers and scripts, and no models of one's own.
namespace qiao::model {
namespace {

Error no_local_models() {
  return {Code::kUnsupported,
          "this qiao was built without llama.cpp: use a model of a provider, or build it with "
          "-DQIAO_WITH_LLAMA=ON"};
}

}  // namespace

Result<GgufSummary> check_gguf(const std::string& /*path*/) {
  return no_local_models();
}

Result<std::string> kind_of_gguf(const std::string& path) {
  constexpr std::string_view kMagic = "GGUF";
  SystemDisk disk;
  QIAO_ASSIGN(const auto file, disk.open(path, OpenMode::kRead));
  QIAO_ASSIGN(const std::string magic, file->read_at(0, kMagic.size()));
  if (magic != kMagic) return Error{Code::kCorrupt, path + " is not a GGUF file"};
  return "generator";
}

ModelFiles::ModelFiles(ModelFiles&& other) noexcept
    : weights_(other.weights_), adapter_(other.adapter_) {}
ModelFiles::~ModelFiles() = default;

int ModelFiles::take_weights() {
  return weights_;
}

int ModelFiles::take_adapter() {
  return adapter_;
}

Result<ModelFiles> open_model_files(const ModelOptions& /*options*/) {
  return no_local_models();
}

Result<std::shared_ptr<LocalModel>> open_local(const ModelOptions& /*options*/,
                                               ModelFiles /*files*/, const Clock& /*clock*/) {
  return no_local_models();
}

}  // namespace qiao::model
