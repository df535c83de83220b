// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace qiao::cli {

inline constexpr const char* kLearnProgram = "qiao-learn";

// Where QIAO_LEARN says, beside this program, or (a bare name) wherever the PATH has it.
std::string learn_program();

// What it computes with, as its verb `about` tells. Blocks for the seconds that libtorch takes to
// load, at most kLearnStartMsMax. An Error when it is not there, does not start, or says no such
// thing.
inline constexpr std::int64_t kLearnStartMsMax = 30'000;
Result<Json> about_learning();

}  // namespace qiao::cli
