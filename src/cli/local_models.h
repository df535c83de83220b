// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "cli/session.h"
#include "flow/config/flow_config.h"
#include "model/open_model.h"
#include "understand/bundle_slot.h"
#include "understand/understander.h"

namespace qiao::cli {

// Models opened in a verb without a server, by the names flows use, and what they live on.
// Owned by the verb; one thread.
class LocalModels {
 public:
  static constexpr std::int64_t kLoadMsMax = 120'000;

  // Opens the installed encoders and, unless `chat_model` is "none", that chat model, and waits
  // until they are loaded. An encoder that does not start is left out with a note; a chat model
  // that was named must start.
  Status open(Session& session, const std::string& chat_model);

  // Opens the bundles that the flow's heads name.
  Status open_bundles(const FlowConfig& flow);

  [[nodiscard]] const BundleSet& bundles() const { return bundles_; }
  [[nodiscard]] const ModelSet& set() const { return models_; }
  [[nodiscard]] Encoders encoders() const;

 private:
  Result<std::shared_ptr<Model>> open_one(const ModelOptions& options);

  SystemClock clock_;
  Metrics metrics_;
  ModelSet models_;
  BundleSet bundles_;
};

}  // namespace qiao::cli
