// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/language.h"
#include "base/result.h"
#include "model/model.h"

namespace qiao {

// Everyday sentences of `language` that have little to do with one another, nor with a flow.
const std::vector<std::string>& everyday_sentences(Language language);

// Their mean vector. A text's dot product with it is the cosine that this encoder gives it with
// anything at all: 0.3 for bge-small-zh, 0.07 for MiniLM. Only what lies above it says something,
// so scores mean the same with every encoder. Blocks.
Result<std::vector<float>> encode_background(Language language, Model& encoder);

}  // namespace qiao
