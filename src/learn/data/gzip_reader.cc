// SPDX-License-Identifier: Apache-2.0
#include "learn/data/gzip_reader.h"

#include <zlib.h>

#include <filesystem>

namespace qiao::learn {

GzipReader::GzipReader(gzFile_s* file) : file_(file, &::gzclose) {}

Result<GzipReader> GzipReader::open(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return invalid_argument(path + " is a folder; a file is wanted");
  }
  const gzFile file = ::gzopen(path.c_str(), "rb");
  if (file == nullptr) return not_found("cannot open " + path);
  return GzipReader(file);
}

Result<std::string> GzipReader::next() {
  std::string chunk(kChunkBytes, '\0');
  const int got = ::gzread(file_.get(), chunk.data(), kChunkBytes);
  int fault = Z_OK;
  static_cast<void>(::gzerror(file_.get(), &fault));
  if (got < 0 || (fault != Z_OK && fault != Z_STREAM_END)) {
    return Error{Code::kCorrupt, "the gzip stream is damaged or cut"};
  }
  chunk.resize(static_cast<std::size_t>(got));
  return chunk;
}

Result<std::string> read_gzip_file(const std::string& path, std::size_t bytes_max) {
  QIAO_ASSIGN(GzipReader reader, GzipReader::open(path));
  std::string text;
  while (true) {
    auto chunk = reader.next();
    if (!chunk) return std::move(chunk.error()).with(path);
    if (chunk->empty()) return text;
    text += *chunk;
    if (text.size() > bytes_max) {
      return invalid_argument(path + " is larger than " + std::to_string(bytes_max) + " bytes");
    }
  }
}

}  // namespace qiao::learn
