// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

struct gzFile_s;

namespace qiao::learn {

// Reads a file from its beginning, gzipped or not. One thread at a time.
class GzipReader {
 public:
  static Result<GzipReader> open(const std::string& path);

  // The next bytes, at most kChunkBytes; "" at the end. A damaged or cut stream is `corrupt`.
  Result<std::string> next();

 private:
  static constexpr unsigned kChunkBytes = 1 << 16;
  explicit GzipReader(gzFile_s* file);
  std::unique_ptr<gzFile_s, int (*)(gzFile_s*)> file_;
};

// The whole file; invalid_argument past `bytes_max`.
Result<std::string> read_gzip_file(const std::string& path, std::size_t bytes_max);

}  // namespace qiao::learn
