// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace qiao {

// What went wrong, in classes a caller can act on. Each has one stable number on the
// wire, one HTTP status and one exit code (docs/reference/errors.md).
enum class Code {
  kInvalidArgument = 1,  // the input is wrong: mend it, do not retry
  kNotFound = 2,
  kAlreadyExists = 3,
  kPrecondition = 4,  // right input, wrong state
  kConflict = 5,      // somebody else was faster
  kUnauthenticated = 6,
  kPermission = 7,
  kOverloaded = 8,  // a bound is reached: retry later
  kDeadline = 9,
  kCancelled = 10,
  kUnavailable = 11,  // a part is not there now: retry later
  kCorrupt = 12,      // stored bytes are damaged
  kUnsupported = 13,
  kModelFailed = 14,  // the model refused, crashed or answered outside its form
  kInternal = 15,
};

// "invalid_argument" and so on: the name used in logs and JSON.
std::string_view name_of(Code code);

// A failure as a value: class and one sentence for people that says what, where, what to do.
struct [[nodiscard]] Error {
  Code code = Code::kInternal;
  std::string message;

  // Adds where it happened: "… (while appending to orders)".
  Error with(std::string_view where) && {
    message.append(" (").append(where).append(")");
    return std::move(*this);
  }
  friend bool operator==(const Error&, const Error&) = default;
};

// Either a T or an Error. Debian 12's tl::expected is not [[nodiscard]]; this is.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  Result(Error error)  // NOLINT(google-explicit-constructor): `return Error{…};` reads well
      : tl::expected<T, Error>(tl::unexpected<Error>(std::move(error))) {}
};

using Status = Result<void>;

inline Error invalid_argument(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}
inline Error not_found(std::string message) {
  return {Code::kNotFound, std::move(message)};
}
inline Error overloaded(std::string message) {
  return {Code::kOverloaded, std::move(message)};
}
inline Error unavailable(std::string message) {
  return {Code::kUnavailable, std::move(message)};
}
inline Error internal(std::string message) {
  return {Code::kInternal, std::move(message)};
}

}  // namespace qiao

// Returns the Error of `expr` (a Result) from the enclosing function, if there is one.
#define QIAO_TRY(expr)                                                            \
  do {                                                                            \
    if (auto qiao_try_ = (expr); !qiao_try_) return std::move(qiao_try_.error()); \
  } while (false)

// `QIAO_ASSIGN(auto x, f());` declares x with the value, or returns the Error.
#define QIAO_ASSIGN(declaration, expr) \
  QIAO_ASSIGN_IMPL(declaration, expr, QIAO_CONCAT(qiao_assign_, __LINE__))
#define QIAO_ASSIGN_IMPL(declaration, expr, name) \
  auto name = (expr);                             \
  if (!name) return std::move(name.error());      \
  declaration = std::move(*name)
#define QIAO_CONCAT(a, b) QIAO_CONCAT_IMPL(a, b)
#define QIAO_CONCAT_IMPL(a, b) a##b
