// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/disk.h"

namespace qiao::learn {

// Makes the folder that `place` shall stand in, where it is missing. Errors: something else has its
// name (invalid_argument), it cannot be made, or takes no new files (permission). Told before the
// work whose result stands there.
Status make_folder_of(Disk& disk, const std::string& place);
// The same of an --out; already_exists when there is something under that name.
Status check_free(Disk& disk, const std::string& out);

}  // namespace qiao::learn
