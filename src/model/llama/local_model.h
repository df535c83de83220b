// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "model/model.h"
#include "model/open_model.h"

namespace qiao::model {

// A model that llama.cpp runs in this process, on one thread of its own. Loaded when made.
class LocalModel : public Model {
 public:
  // Steps of computation done so far, and whether any work is there: a model that is busy and
  // makes no step hangs.
  struct Progress {
    std::uint64_t steps = 0;
    bool busy = false;
  };
  [[nodiscard]] virtual Progress progress() const = 0;
};

// Texts of one embed() at most.
inline constexpr std::size_t kEmbedTextsMax = 1 << 14;
inline constexpr int kThreadsMax = 256;

// `options.threads`; for 0 all cores but one, at least one, and at most four for an encoder.
int threads_of(const ModelOptions& options);

// The open files of one model, each given away once. Closes what nobody took.
class ModelFiles {
 public:
  explicit ModelFiles(int weights, int adapter = -1) : weights_(weights), adapter_(adapter) {}
  ModelFiles(ModelFiles&& other) noexcept;
  ModelFiles& operator=(ModelFiles&&) = delete;
  ~ModelFiles();

  [[nodiscard]] int weights() const { return weights_; }
  [[nodiscard]] int adapter() const { return adapter_; }  // -1: none
  int take_weights();
  int take_adapter();

 private:
  int weights_;
  int adapter_;
};

// Loads the GGUF of `files`. Errors: `corrupt`, `unavailable` (memory),
// `unsupported` (no llama.cpp in this build), `invalid_argument` (options). Blocks while it loads.
// `clock` must outlive the model.
Result<std::shared_ptr<LocalModel>> open_local(const ModelOptions& options, ModelFiles files,
                                               const Clock& clock);
// Opens `options.path`, and the adapter if there is one, for reading: `not_found` says what to do.
Result<ModelFiles> open_model_files(const ModelOptions& options);
// One file of model `name`.
Result<int> open_model_file(const std::string& name, const std::string& path);

}  // namespace qiao::model
