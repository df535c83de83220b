// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/disk.h"

namespace qiao::learn {

// already_exists when there is something under the name of what shall be written.
inline Status check_free(Disk& disk, const std::string& out) {
  if (!disk.exists(out)) return {};
  return Error{Code::kAlreadyExists, out + " is there already: remove it or give another --out"};
}

}  // namespace qiao::learn
