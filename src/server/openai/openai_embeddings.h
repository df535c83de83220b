// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "model/model.h"
#include "server/api/api.h"

namespace qiao::server {

// The model called `name`: by the name flows use, or by its name in the catalogue; else nullptr.
std::shared_ptr<Model> find_model(const ApiServices& services, const std::string& name);

// POST /v1/embeddings: numbers as a list, or as base 64 of little-endian floats.
void answer_embeddings(const ApiServices& services, const Call& call);

}  // namespace qiao::server
