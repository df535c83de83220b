// SPDX-License-Identifier: Apache-2.0
#include "model/catalogue/pull_archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <vector>

namespace qiao::model {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;
constexpr std::size_t kMembersMax = 1 << 20;

struct FreeArchive {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using Archive = std::unique_ptr<archive, FreeArchive>;

Error damaged(const std::string& path, archive* handle) {
  const char* why = archive_error_string(handle);
  return {Code::kCorrupt, "cannot read " + path + ": " + (why == nullptr ? "damaged" : why)};
}

Result<Archive> open_archive(const std::string& path) {
  Archive handle(archive_read_new());
  archive_read_support_format_zip(handle.get());
  archive_read_support_format_tar(handle.get());
  archive_read_support_filter_gzip(handle.get());
  if (archive_read_open_filename(handle.get(), path.c_str(), kPieceBytes) != ARCHIVE_OK) {
    return damaged(path, handle.get());
  }
  return handle;
}

// Goes to `member`.
Status seek_member(archive* handle, const std::string& path, const std::string& member) {
  for (std::size_t i = 0; i < kMembersMax; ++i) {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(handle, &entry);
    if (result == ARCHIVE_EOF) break;
    if (result < ARCHIVE_WARN) return damaged(path, handle);
    const char* name = archive_entry_pathname(entry);
    if (name != nullptr && member == name) return {};
  }
  return not_found(path + " holds no " + member + ": the package changed its layout");
}

}  // namespace

Result<std::uint64_t> extract_member(const std::string& archive, const std::string& member,
                                     DiskFile& out, std::uint64_t offset, std::uint64_t bytes_max,
                                     std::stop_token stop) {
  QIAO_ASSIGN(const Archive handle, open_archive(archive));
  QIAO_TRY(seek_member(handle.get(), archive, member));
  std::vector<char> piece(kPieceBytes);
  std::uint64_t written = 0;
  while (true) {
    if (stop.stop_requested()) return Error{Code::kCancelled, "stopped while unpacking"};
    const la_ssize_t got = archive_read_data(handle.get(), piece.data(), piece.size());
    if (got < 0) return damaged(archive, handle.get());
    if (got == 0) return written;
    const auto bytes = static_cast<std::size_t>(got);
    if (bytes > bytes_max - written) {
      return Error{Code::kCorrupt, archive + ": " + member + " is larger than it should be"};
    }
    QIAO_TRY(out.write_at(offset + written, {piece.data(), bytes}));
    written += bytes;
  }
}

}  // namespace qiao::model
