// SPDX-License-Identifier: Apache-2.0
#include "learn/corpus/byte_stream.h"

#include <zstd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "learn/data/gzip_reader.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kChunkBytes = 256 << 10;
// A stream that asks for more than this to be unpacked is refused (the format's own advice: 8 MiB;
// its command line goes to 128 MiB).
constexpr int kWindowLogMax = 27;

class GzipBytes final : public ByteStream {
 public:
  GzipBytes(std::string path, GzipReader reader)
      : path_(std::move(path)), reader_(std::move(reader)) {}
  Result<std::string> next() override {
    auto bytes = reader_.next();
    if (!bytes) return std::move(bytes.error()).with(path_);
    return bytes;
  }

 private:
  std::string path_;
  GzipReader reader_;
};

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

class ZstdBytes final : public ByteStream {
 public:
  ZstdBytes(std::string path, File file)
      : path_(std::move(path)),
        file_(std::move(file)),
        unpack_(ZSTD_createDCtx(), &ZSTD_freeDCtx),
        packed_(ZSTD_DStreamInSize(), '\0') {
    if (unpack_ != nullptr) {
      ZSTD_DCtx_setParameter(unpack_.get(), ZSTD_d_windowLogMax, kWindowLogMax);
    }
  }

  Result<std::string> next() override {
    if (unpack_ == nullptr) return overloaded("out of memory while unpacking " + path_);
    std::string out(kChunkBytes, '\0');
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    while (to.pos == 0) {
      if (from_.pos == from_.size && !refill()) {
        if (std::ferror(file_.get()) != 0) return unavailable("cannot read " + path_);
        if (left_ != 0) return damaged("it is cut");
        return std::string();
      }
      left_ = ZSTD_decompressStream(unpack_.get(), &to, &from_);
      if (ZSTD_isError(left_) != 0) return damaged(ZSTD_getErrorName(left_));
    }
    out.resize(to.pos);
    return out;
  }

 private:
  [[nodiscard]] Error damaged(const std::string& why) const {
    return {Code::kCorrupt, "the zstd stream is damaged or cut (" + path_ + ": " + why + ")"};
  }
  bool refill() {
    from_ = {packed_.data(), std::fread(packed_.data(), 1, packed_.size(), file_.get()), 0};
    return from_.size > 0;
  }

  std::string path_;
  File file_;
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> unpack_;
  std::string packed_;
  ZSTD_inBuffer from_{nullptr, 0, 0};
  std::size_t left_ = 0;  // of the frame; 0: it is whole
};

}  // namespace

Result<std::unique_ptr<ByteStream>> open_bytes(const std::string& path) {
  File file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (file == nullptr) return not_found("cannot open " + path + ": " + std::strerror(errno));
  constexpr std::array<unsigned char, 4> kZstdMagic = {0x28, 0xB5, 0x2F, 0xFD};
  std::array<unsigned char, 4> first{};
  const bool zstd =
      std::fread(first.data(), 1, first.size(), file.get()) == first.size() && first == kZstdMagic;
  if (zstd) {
    std::rewind(file.get());
    return std::unique_ptr<ByteStream>(std::make_unique<ZstdBytes>(path, std::move(file)));
  }
  QIAO_ASSIGN(GzipReader reader, GzipReader::open(path));
  return std::unique_ptr<ByteStream>(std::make_unique<GzipBytes>(path, std::move(reader)));
}

}  // namespace qiao::learn
