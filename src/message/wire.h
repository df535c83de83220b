// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace qiao {

// Little-endian LEB128 numbers and length-prefixed bytes: the alphabet of all our binary forms.

void put_varint(std::string& out, std::uint64_t value);
void put_signed(std::string& out, std::int64_t value);  // zig-zag
void put_bytes(std::string& out, std::string_view bytes);

// Takes values off the front of a view. The first fault makes every later call return zero or
// empty, and ok() false: check once at the end.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t varint();
  std::int64_t signed_varint();
  std::string_view bytes();  // a view into the input
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace qiao
