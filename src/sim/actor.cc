// SPDX-License-Identifier: Apache-2.0
#include "sim/actor.h"

namespace qiao::sim {

void Actor::refused(std::string_view call, const Error& error) {
  const std::string what =
      std::string(call) + " refused: " + std::string(qiao::name_of(error.code));
  tell(what);
  switch (error.code) {
    case Code::kConflict:
    case Code::kOverloaded:
    case Code::kDeadline:
    case Code::kUnavailable:
    case Code::kCancelled:
    case Code::kNotFound:
      return;
    default:
      world_.journal.strange.push_back(name_ + ": " + what + ": " + error.message);
  }
}

}  // namespace qiao::sim
