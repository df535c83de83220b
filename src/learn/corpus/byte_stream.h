// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace qiao::learn {

// The bytes of a file from its beginning, unpacked where it is packed. One thread at a time.
class ByteStream {
 public:
  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  virtual ~ByteStream() = default;

  // The next bytes, at most 256 KiB; "" at the end. A damaged or cut stream is `corrupt` and
  // named.
  virtual Result<std::string> next() = 0;
};

// Plain, gzip or Zstandard: told by the first bytes, not by the name.
Result<std::unique_ptr<ByteStream>> open_bytes(const std::string& path);

}  // namespace qiao::learn
