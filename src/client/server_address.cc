// SPDX-License-Identifier: Apache-2.0
#include "client/server_address.h"

#include <cstdlib>
#include <optional>

#include "base/disk.h"
#include "base/json.h"

namespace qiao {
namespace {

constexpr std::size_t kServerFileBytesMax = 64 << 10;

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// What a running server wrote; nothing when there is none or it cannot be read.
std::optional<ServerAddress> read_server_file(const std::string& data_directory) {
  const auto text = read_file(data_directory + "/server.json", kServerFileBytesMax);
  if (!text) return std::nullopt;
  const auto json = parse_json(*text);
  if (!json) return std::nullopt;
  auto url = json_string(*json, "url");
  if (!url) return std::nullopt;
  return ServerAddress{without_slash(std::move(*url)), json_string(*json, "key").value_or("")};
}

}  // namespace

std::string default_data_directory() {
  std::string directory = from_environment("QIAO_DATA");
  return directory.empty() ? ".qiao" : directory;
}

Result<ServerAddress> find_server(const ServerAddress& given, const std::string& data_directory) {
  ServerAddress address{given.url.empty() ? from_environment("QIAO_SERVER") : given.url,
                        given.key.empty() ? from_environment("QIAO_KEY") : given.key};
  address.url = without_slash(std::move(address.url));
  if (!address.url.empty() && address.url.find("://") == std::string::npos) {
    address.url.insert(0, "http://");
  }
  if (!address.url.empty() && !address.key.empty()) return address;
  const auto running = read_server_file(data_directory);
  if (address.url.empty() && !running) {
    return unavailable("no server is known: there is no server.json in " + data_directory +
                       "; start one with `qiao serve`, or name it with --server and --key "
                       "(QIAO_SERVER, QIAO_KEY) or its data with --data (QIAO_DATA)");
  }
  if (address.url.empty()) address.url = running->url;
  if (address.key.empty() && running && running->url == address.url) address.key = running->key;
  return address;
}

}  // namespace qiao
