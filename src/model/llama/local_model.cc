// SPDX-License-Identifier: Apache-2.0
#include "model/llama/local_model.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "model/llama/llama_encoder.h"
#include "model/llama/llama_model.h"

namespace qiao::model {
namespace {

// Encoders are small and their texts short: more threads would wait for each other.
constexpr int kEncoderThreadsMax = 4;

}  // namespace

int threads_of(const ModelOptions& options) {
  if (options.threads > 0) return std::min(options.threads, kThreadsMax);
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(cores - 1, 1, options.encoder ? kEncoderThreadsMax : kThreadsMax);
}

ModelFiles::ModelFiles(ModelFiles&& other) noexcept
    : weights_(other.take_weights()), adapter_(other.take_adapter()) {}

ModelFiles::~ModelFiles() {
  for (const int fd : {weights_, adapter_}) {
    if (fd >= 0) ::close(fd);
  }
}

int ModelFiles::take_weights() {
  return std::exchange(weights_, -1);
}

int ModelFiles::take_adapter() {
  return std::exchange(adapter_, -1);
}

Result<int> open_model_file(const std::string& name, const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) return fd;
  return not_found("model " + name + ": cannot open " + path + ": " + std::strerror(errno));
}

Result<ModelFiles> open_model_files(const ModelOptions& options) {
  QIAO_ASSIGN(const int weights, open_model_file(options.name, options.path));
  ModelFiles files(weights);
  if (options.adapter.empty()) return files;
  QIAO_ASSIGN(const int adapter, open_model_file(options.name, options.adapter));
  return ModelFiles(files.take_weights(), adapter);
}

Result<std::shared_ptr<LocalModel>> open_local(const ModelOptions& options, ModelFiles files,
                                               const Clock& clock) {
  if (!options.encoder) return LlamaModel::open(options, std::move(files), clock);
  if (options.adapter.empty()) return LlamaEncoder::open(options, files.take_weights());
  return invalid_argument("model " + options.name + ": an encoder takes no adapter");
}

}  // namespace qiao::model
