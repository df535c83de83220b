// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

namespace qiao {

std::string_view name_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return "invalid_argument";
    case Code::kNotFound:
      return "not_found";
    case Code::kAlreadyExists:
      return "already_exists";
    case Code::kPrecondition:
      return "precondition";
    case Code::kConflict:
      return "conflict";
    case Code::kUnauthenticated:
      return "unauthenticated";
    case Code::kPermission:
      return "permission";
    case Code::kOverloaded:
      return "overloaded";
    case Code::kDeadline:
      return "deadline";
    case Code::kCancelled:
      return "cancelled";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kCorrupt:
      return "corrupt";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kModelFailed:
      return "model_failed";
    case Code::kInternal:
      return "internal";
  }
  return "internal";
}

}  // namespace qiao
