// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace qiao::learn {

// What a person means by `place`: that file or folder, else the folder of the model that `qiao
// model pull` got under that name; not_found when there is neither.
Result<std::filesystem::path> find_model(const std::string& place);

// Whether an encoder lies there, for open_base(), and not a decoder, for open_decoder(): by its
// config.json, else by its GGUF. not_found and invalid_argument say what would be taken.
Result<bool> is_encoder(const std::string& place);

}  // namespace qiao::learn
