// SPDX-License-Identifier: Apache-2.0
#include "model/catalogue/pull_client.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/disk.h"
#include "base/process.h"
#include "base/steady_ms.h"
#include "model/catalogue/pull_place.h"

namespace qiao::model {
namespace {

constexpr std::int64_t kPollMs = 200;
constexpr std::int64_t kGraceMs = 2'000;
constexpr std::size_t kReasonBytesMax = 300;

struct Client {
  std::string program;
  std::string to_install;  // Debian's package
  std::vector<std::string> arguments;
  std::pair<std::string, std::string> environment;
};

Client pip(const std::string& package, const std::string& directory) {
  // Wheels only: building a source package would run its code. TMPDIR: pip writes there first,
  // and we watch it grow.
  return {"python3 -m pip",
          "python3-pip",
          {"python3", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir",
           "--no-input", "--disable-pip-version-check", "--progress-bar=off", "--retries=2",
           "--timeout=30", "--dest", directory, package},
          {"TMPDIR", directory}};
}

Client maven(const std::string& package, const std::string& directory) {
  return {"mvn",
          "maven",
          {"mvn", "--batch-mode", "--quiet", "-Dstyle.color=never",
           "-Dmaven.repo.local=" + directory + "/repository",
           "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy", "-Dartifact=" + package,
           "-DoutputDirectory=" + directory},
          {"MAVEN_BATCH_ECHO", "off"}};
}

Client npm(const std::string& package, const std::string& directory) {
  return {"npm",
          "npm",
          {"npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", directory, package},
          {"npm_config_cache", directory + "/cache"}};
}

Result<Client> client_of(const std::string& name, const std::string& package,
                         const std::string& directory) {
  if (package.empty() || package.front() == '-') {
    return invalid_argument("\"" + package + "\" is no package name");
  }
  if (name == "pypi") return pip(package, directory);
  if (name == "maven") return maven(package, directory);
  if (name == "npm") return npm(package, directory);
  return Error{Code::kUnsupported, "no client is known for " + name};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

bool mentions(const std::string& lower_text, std::initializer_list<std::string_view> any) {
  return std::any_of(any.begin(), any.end(), [&](std::string_view word) {
    return lower_text.find(word) != std::string::npos;
  });
}

// Sorts a client's failure into our classes by what it printed.
Error failure(const Client& client, const std::string& package, const std::string& output) {
  const std::string text = lower(output);
  const std::string what =
      client.program + " could not fetch " + package + ": " + reason_in_output(output);
  if (mentions(text, {"no module named pip"})) {
    return {Code::kUnsupported, client.program + " is not installed; install " + client.to_install};
  }
  if (mentions(text, {"no space left", "enospc", "disk quota"})) {
    return unavailable(what + "; free some space, then pull again: it goes on where it stopped");
  }
  if (mentions(text, {"temporary failure in name resolution", "failed to establish",
                      "connection refused", "network is unreachable", "timed out", "enotfound",
                      "eai_again", "econnrefused", "unknown host", "could not transfer",
                      "connection reset", "connection broken", "proxyerror"})) {
    return unavailable(what + "; check the network, then pull again: it goes on where it stopped");
  }
  return not_found(what);
}

// The one archive that the client left in `directory`.
Result<std::string> find_archive(const std::string& directory, const Client& client) {
  SystemDisk disk;
  QIAO_ASSIGN(const std::vector<std::string> names, disk.list(directory));
  constexpr std::array<std::string_view, 4> kEndings = {".whl", ".jar", ".zip", ".tgz"};
  for (const std::string& name : names) {
    for (const std::string_view ending : kEndings) {
      if (name.ends_with(ending)) return directory + "/" + name;
    }
  }
  return unavailable(client.program + " ended well but left no archive in " + directory);
}

// Waits for the child, reporting and watching for silence. Returns its exit status.
Result<int> watch(ChildProcess& child, const std::string& what, const std::string& directory,
                  const std::function<void(std::uint64_t)>& on_bytes, const std::stop_token& stop) {
  const std::int64_t start = steady_ms();
  std::int64_t last_growth = start;
  std::uint64_t bytes = 0;
  while (true) {
    if (const auto status = child.wait(kPollMs)) return *status;
    const std::uint64_t now_bytes = tree_bytes(directory);
    const std::int64_t now = steady_ms();
    if (now_bytes != bytes) last_growth = now;
    bytes = now_bytes;
    if (on_bytes) on_bytes(bytes);
    const bool silent = now - last_growth > kClientIdleMsMax || now - start > kClientMsMax;
    if (!silent && !stop.stop_requested()) continue;
    child.terminate(kGraceMs);
    if (!silent) return Error{Code::kCancelled, what + " was stopped"};
    return Error{Code::kDeadline, what +
                                      " brought nothing for too long; check the network, then "
                                      "pull again: it goes on where it stopped"};
  }
}

}  // namespace

std::string reason_in_output(std::string_view output) {
  std::string_view last = "it said nothing";
  std::string_view chosen;
  while (!output.empty()) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    const std::string_view line = output.substr(0, end);
    output.remove_prefix(std::min(end + 1, output.size()));
    if (line.find_first_not_of(" \r\t") == std::string_view::npos) continue;
    last = line;
    const bool error = lower(line).find("error") != std::string::npos;
    if (chosen.empty() && error) chosen = line;
  }
  return std::string((chosen.empty() ? last : chosen).substr(0, kReasonBytesMax));
}

Result<std::string> download_package(const std::string& client_name, const std::string& package,
                                     const std::string& directory,
                                     const std::function<void(std::uint64_t)>& on_bytes,
                                     std::stop_token stop) {
  QIAO_ASSIGN(const Client client, client_of(client_name, package, directory));
  const std::string output_path = directory + "/client.log";
  ProcessOptions options;
  options.arguments = client.arguments;
  options.environment = {client.environment};
  options.directory = directory;
  options.output_file = output_path;
  auto child = ChildProcess::start(options);
  if (!child) {
    if (child.error().code != Code::kNotFound) return std::move(child.error());
    return Error{Code::kUnsupported, client.program + " is not installed, and " + package +
                                         " comes by it; install " + client.to_install};
  }
  QIAO_ASSIGN(const int status,
              watch(**child, client.program + " fetching " + package, directory, on_bytes, stop));
  if (status == 0) return find_archive(directory, client);
  return failure(client, package, read_file(output_path, 1 << 20).value_or(""));
}

}  // namespace qiao::model
