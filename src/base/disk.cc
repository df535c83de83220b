// SPDX-License-Identifier: Apache-2.0
#include "base/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace qiao {
namespace {

Error os_error(std::string_view what, const std::string& path, int number) {
  std::string message(what);
  message.append(" ").append(path).append(": ").append(std::strerror(number));
  switch (number) {
    case ENOENT:
      return {Code::kNotFound, std::move(message)};
    case EEXIST:
      return {Code::kAlreadyExists, std::move(message)};
    case EACCES:
    case EPERM:
    case EROFS:
      return {Code::kPermission, std::move(message)};
    case ENOSPC:
    case EDQUOT:
      return {Code::kUnavailable, message + "; free some space"};
    default:
      return {Code::kUnavailable, std::move(message)};
  }
}

class SystemFile final : public DiskFile {
 public:
  SystemFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~SystemFile() override { ::close(fd_); }

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return os_error("cannot write", path_, errno);
      bytes.remove_prefix(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
    return {};
  }

  Result<std::string> read_at(std::uint64_t offset, std::size_t size) override {
    std::string out(size, '\0');
    std::size_t have = 0;
    while (have < size) {
      const ssize_t n =
          ::pread(fd_, out.data() + have, size - have, static_cast<off_t>(offset + have));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return os_error("cannot read", path_, errno);
      if (n == 0) break;
      have += static_cast<std::size_t>(n);
    }
    out.resize(have);
    return out;
  }

  Status sync_data() override {
    if (::fdatasync(fd_) != 0) return os_error("cannot sync", path_, errno);
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return os_error("cannot stat", path_, errno);
    return static_cast<std::uint64_t>(info.st_size);
  }

  Status truncate(std::uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0)
      return os_error("cannot truncate", path_, errno);
    return {};
  }

  Status preallocate(std::uint64_t size) override {
    if (::fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) == 0) return {};
    if (errno == EOPNOTSUPP || errno == ENOSYS) return {};  // a help, not a promise
    return os_error("cannot preallocate", path_, errno);
  }

 private:
  int fd_;
  std::string path_;
};

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

}  // namespace

Result<std::unique_ptr<DiskFile>> SystemDisk::open(const std::string& path, OpenMode mode) {
  const int fd = ::open(path.c_str(), flags_of(mode) | O_CLOEXEC, 0600);
  if (fd < 0) return os_error("cannot open", path, errno);
  return std::unique_ptr<DiskFile>(std::make_unique<SystemFile>(fd, path));
}

Result<std::vector<std::string>> SystemDisk::list(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(directory.c_str()), &::closedir);
  if (!handle) return os_error("cannot list", directory, errno);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(handle.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status SystemDisk::make_directories(const std::string& path) {
  std::error_code fault;
  std::filesystem::create_directories(path, fault);
  if (fault) return os_error("cannot make directory", path, fault.value());
  return {};
}

Status SystemDisk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return os_error("cannot rename to", to, errno);
  return {};
}

Status SystemDisk::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return os_error("cannot remove", path, errno);
  return {};
}

Status SystemDisk::sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return os_error("cannot open", path, errno);
  const int failed = ::fsync(fd) != 0 ? errno : 0;
  ::close(fd);
  if (failed != 0) return os_error("cannot sync", path, failed);
  return {};
}

bool SystemDisk::exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return os_error("cannot open", path, errno);
  if (S_ISDIR(info.st_mode)) return invalid_argument(path + " is a directory, not a file");
  SystemDisk disk;
  QIAO_ASSIGN(const auto file, disk.open(path, OpenMode::kRead));
  QIAO_ASSIGN(
      std::string bytes,
      file->read_at(0, std::min<std::size_t>(
                           bytes_max + 1, 1 + std::max<std::size_t>(
                                                  static_cast<std::size_t>(info.st_size), 4096))));
  if (bytes.size() > bytes_max) {
    return invalid_argument(path + " is larger than " + std::to_string(bytes_max) + " bytes");
  }
  return bytes;
}

Status write_file_atomic(Disk& disk, const std::string& path, std::string_view bytes) {
  const std::string beside = path + ".tmp";
  if (disk.exists(beside)) QIAO_TRY(disk.remove(beside));
  {
    QIAO_ASSIGN(const auto file, disk.open(beside, OpenMode::kCreateNew));
    QIAO_TRY(file->write_at(0, bytes));
    QIAO_TRY(file->sync_data());
  }
  QIAO_TRY(disk.rename(beside, path));
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return disk.sync_directory(parent.empty() ? "." : parent);
}

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::acquire(const std::string& directory) {
  const std::string path = directory + "/lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return os_error("cannot open", path, errno);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int number = errno;
    ::close(fd);
    if (number != EWOULDBLOCK) return os_error("cannot lock", path, number);
    return Error{Code::kConflict,
                 "another server uses " + directory + "; stop it or choose another --data"};
  }
  return std::unique_ptr<DirectoryLock>(new DirectoryLock(fd));
}

DirectoryLock::~DirectoryLock() {
  ::close(fd_);
}

}  // namespace qiao
