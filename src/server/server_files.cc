// SPDX-License-Identifier: Apache-2.0
#include "server/server_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/disk.h"
#include "base/json.h"
#include "base/random.h"

namespace qiao::server {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kKeyFileBytesMax = 4 << 10;
constexpr std::size_t kKeyTextLeast = 8;

Error os_error(const std::string& what, const std::string& path) {
  const std::error_code reason(errno, std::generic_category());
  return unavailable(what + " " + path + ": " + reason.message());
}

// Beside, then renamed: the file is never open to others and never half there.
Status write_private(const std::string& path, std::string_view text) {
  const std::string beside = path + ".new";
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return os_error("cannot write", beside);
  const bool written = ::fchmod(fd, 0600) == 0 &&
                       ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  const int number = errno;
  ::close(fd);
  errno = number;
  if (!written || std::rename(beside.c_str(), path.c_str()) != 0)
    return os_error("cannot write", path);
  return {};
}

std::string server_file(const std::string& data) {
  return data + "/server.json";
}

}  // namespace

Status make_data_directory(const std::string& data) {
  if (std::filesystem::is_directory(data)) return {};
  SystemDisk disk;
  QIAO_TRY(disk.make_directories(data));
  std::error_code ignored;  // a file system without modes
  std::filesystem::permissions(data, std::filesystem::perms::owner_all, ignored);
  return {};
}

Result<ServerKey> read_or_make_key(const std::string& data) {
  const std::string path = data + "/key";
  if (!std::filesystem::exists(path)) {
    ServerKey made{random_hex(kKeyBytes), true};
    QIAO_TRY(write_private(path, made.key + "\n"));
    return made;
  }
  QIAO_ASSIGN(std::string text, read_file(path, kKeyFileBytesMax));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.pop_back();
  if (text.size() < kKeyTextLeast) {
    return invalid_argument(path + " holds no key of at least " + std::to_string(kKeyTextLeast) +
                            " characters; remove it to have one made");
  }
  return ServerKey{std::move(text), false};
}

Status write_server_file(const std::string& data, const std::string& url, const std::string& key) {
  const Json json{{"url", url}, {"key", key}, {"pid", ::getpid()}};
  return write_private(server_file(data), dump_json(json) + "\n");
}

void remove_server_file(const std::string& data) {
  std::error_code ignored;
  std::filesystem::remove(server_file(data), ignored);
}

}  // namespace qiao::server
