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

// Loads the GGUF open as `fd` (which it closes). Errors: `corrupt`, `unavailable` (memory),
// `unsupported` (no llama.cpp in this build), `invalid_argument` (options). Blocks while it loads.
// `clock` must outlive the model.
Result<std::shared_ptr<LocalModel>> open_local(const ModelOptions& options, int fd,
                                               const Clock& clock);
// Opens `options.path` for reading: `not_found` says what to do.
Result<int> open_model_file(const ModelOptions& options);

}  // namespace qiao::model
