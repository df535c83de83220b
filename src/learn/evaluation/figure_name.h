// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/language.h"

namespace qiao::learn {

// What people call that which the JSON of an evaluation calls `key`; `key` where there is no other
// word for it. Thread-safe.
std::string figure_name(Language language, std::string_view key);

}  // namespace qiao::learn
