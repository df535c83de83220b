// SPDX-License-Identifier: Apache-2.0
#include "server/version.h"

namespace qiao {

std::string_view version() {
  return QIAO_VERSION;
}

}  // namespace qiao
