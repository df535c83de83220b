// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "base/yaml.h"
#include "model/open_model.h"

namespace qiao::server {

// Reads the map `models:` of qiao.yaml: flow name → where the model runs. Faults go to `outer`.
// Relative paths are taken from the folder of the file.
std::map<std::string, ModelOptions> read_models(YamlReader& outer, const YamlNode& models);

// `path` as seen from `directory`, unless it is absolute.
std::string path_from(const std::string& directory, const std::string& path);

}  // namespace qiao::server
