// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace qiao {

// CRC-32C (Castagnoli, RFC 3720 B.4), hardware where the CPU has it. `seed` continues a sum.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

// SHA-256 (FIPS 180-4), raw 32 bytes and as 64 hexadecimal digits.
std::string sha256(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);
Result<std::string> sha256_file_hex(const std::string& path);

// Comparison whose time does not depend on where the texts differ.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace qiao
