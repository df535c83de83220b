// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "model/open_model.h"
#include "server/config.h"

namespace qiao::server {

struct OpenModels {
  ModelSet models;
  std::map<std::string, std::string> aliases;  // catalogue name → name in `models`
};

// Opens what the config names and the installed defaults beside it. A model that somebody named
// must open; an installed one that does not is told in the log and left out: flows say what they
// lack.
Result<OpenModels> open_models(const ServerConfig& config, const Clock& clock, Metrics& metrics);

}  // namespace qiao::server
