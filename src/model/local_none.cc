// SPDX-License-Identifier: Apache-2.0
#include "model/gguf_check.h"
#include "model/local_model.h"

// Built without llama.cpp there are providers and scripts, and no models of one's own.
namespace qiao::model {
namespace {

Error without_llama() {
  return {Code::kUnsupported,
          "this qiao was built without llama.cpp: use a model of a provider, or build it with "
          "-DQIAO_WITH_LLAMA=ON"};
}

}  // namespace

Result<GgufSummary> check_gguf(const std::string& /*path*/) {
  return without_llama();
}

Result<int> open_model_file(const ModelOptions& /*options*/) {
  return without_llama();
}

Result<std::shared_ptr<LocalModel>> open_local(const ModelOptions& /*options*/, int /*fd*/,
                                               const Clock& /*clock*/) {
  return without_llama();
}

}  // namespace qiao::model
