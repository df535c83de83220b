// SPDX-License-Identifier: Apache-2.0
#include "model/local_model.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "model/llama_encoder.h"
#include "model/llama_model.h"

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

Result<int> open_model_file(const ModelOptions& options) {
  const int fd = ::open(options.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) return fd;
  return not_found("model " + options.name + ": cannot open " + options.path + ": " +
                   std::strerror(errno));
}

Result<std::shared_ptr<LocalModel>> open_local(const ModelOptions& options, int fd,
                                               const Clock& clock) {
  if (options.encoder) return LlamaEncoder::open(options, fd);
  return LlamaModel::open(options, fd, clock);
}

}  // namespace qiao::model
