// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "model/open_model.h"

namespace qiao {

// The models a server, `qiao doctor` and `qiao flow test` use when no config names others, by
// flow name, each only when it is installed: "encoder-zh" (bge-small-zh), "encoder-en"
// (minilm-l6) and "chat". `chat_model` is an installed model's name or the path of a GGUF file;
// "": the best one that is installed; "none": no chat model.
// `models_directory` "": default_models_directory().
std::map<std::string, ModelOptions> default_models(const std::string& models_directory,
                                                   const std::string& chat_model);

}  // namespace qiao
