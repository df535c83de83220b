// SPDX-License-Identifier: Apache-2.0
#include "learn/data/token_row.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace qiao::learn {
namespace {

static_assert(std::endian::native == std::endian::little, "token files are little-endian");

class InMemory final : public TokenRow::Store {
 public:
  explicit InMemory(std::vector<std::int64_t> tokens) : tokens_(std::move(tokens)) {}
  [[nodiscard]] std::size_t size() const override { return tokens_.size(); }
  void copy(std::size_t place, std::size_t count, std::int64_t* out) const override {
    std::copy_n(tokens_.data() + place, count, out);
  }

 private:
  std::vector<std::int64_t> tokens_;
};

// One file in the address space. An empty one is none.
class Mapping {
 public:
  static Result<Mapping> open(const std::string& path, std::size_t bytes) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return not_found("cannot open " + path + ": " + std::strerror(errno));
    struct stat facts {};
    const bool fits = ::fstat(fd, &facts) == 0 && static_cast<std::size_t>(facts.st_size) == bytes;
    void* at = fits && bytes > 0 ? ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0) : nullptr;
    ::close(fd);
    if (!fits) return Error{Code::kCorrupt, path + " has not the size that the index says"};
    if (at == MAP_FAILED) return unavailable("cannot map " + path + ": " + std::strerror(errno));
    if (at != nullptr) ::madvise(at, bytes, MADV_RANDOM);
    return Mapping(at, bytes);
  }
  Mapping(Mapping&& other) noexcept
      : at_(std::exchange(other.at_, nullptr)), bytes_(other.bytes_) {}
  Mapping& operator=(Mapping&&) = delete;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (at_ != nullptr) ::munmap(at_, bytes_);
  }
  [[nodiscard]] const char* bytes() const { return static_cast<const char*>(at_); }

 private:
  Mapping(void* at, std::size_t bytes) : at_(at), bytes_(bytes) {}
  void* at_;
  std::size_t bytes_;
};

template <class Token>
void widen(const char* from, std::size_t count, std::int64_t* out) {
  for (std::size_t i = 0; i < count; ++i) {
    Token token{};
    std::memcpy(&token, from + i * sizeof token, sizeof token);
    out[i] = token;
  }
}

class Mapped final : public TokenRow::Store {
 public:
  explicit Mapped(std::size_t width) : width_(width) {}

  Status add(const TokenFile& file) {
    QIAO_ASSIGN(Mapping mapping, Mapping::open(file.path, file.tokens * width_));
    files_.push_back(std::move(mapping));
    ends_.push_back(size() + file.tokens);
    return {};
  }
  [[nodiscard]] std::size_t size() const override { return ends_.empty() ? 0 : ends_.back(); }

  void copy(std::size_t place, std::size_t count, std::int64_t* out) const override {
    auto file = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), place) -
                                         ends_.begin());
    while (count > 0) {
      const std::size_t begin = file == 0 ? 0 : ends_[file - 1];
      const std::size_t some = std::min(count, ends_[file] - place);
      const char* from = files_[file].bytes() + (place - begin) * width_;
      width_ == sizeof(std::uint16_t) ? widen<std::uint16_t>(from, some, out)
                                      : widen<std::uint32_t>(from, some, out);
      out += some;
      place += some;
      count -= some;
      ++file;
    }
  }

 private:
  std::size_t width_;
  std::vector<Mapping> files_;
  std::vector<std::size_t> ends_;  // of each file, in tokens
};

}  // namespace

TokenRow::TokenRow(std::shared_ptr<const Store> store)
    : store_(std::move(store)), end_(store_->size()) {}

TokenRow::TokenRow(std::vector<std::int64_t> tokens)
    : TokenRow(std::make_shared<InMemory>(std::move(tokens))) {}

Result<TokenRow> TokenRow::map(const std::vector<TokenFile>& files, std::size_t width) {
  if (files.size() > kTokenFilesMax) return invalid_argument("there are too many token files");
  auto store = std::make_shared<Mapped>(width);
  for (const TokenFile& file : files) QIAO_TRY(store->add(file));
  return TokenRow(std::move(store));
}

std::int64_t TokenRow::operator[](std::size_t place) const {
  std::int64_t token = 0;
  copy(place, 1, &token);
  return token;
}

void TokenRow::copy(std::size_t place, std::size_t count, std::int64_t* out) const {
  QIAO_DCHECK(place + count <= size());
  if (count > 0) store_->copy(begin_ + place, count, out);
}

TokenRow TokenRow::slice(std::size_t begin, std::size_t end) const {
  QIAO_DCHECK(begin <= end && end <= size());
  TokenRow out = *this;
  out.end_ = begin_ + end;
  out.begin_ = begin_ + begin;
  return out;
}

}  // namespace qiao::learn
