// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/json.h"
#include "base/language.h"

namespace qiao::learn {

// One page, complete in itself, for a study() (with the whole confusion) or the figures of a
// decoder: tables, and as pictures the reliability, the confusions and the labels' F1. `about`:
// what stands above (bundle, data), name to value.
std::string eval_page(const Json& study, const Json& about, Language language);

}  // namespace qiao::learn
