// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "base/result.h"

namespace qiao::model {

// Fetches one package archive with the machine's own client for its registry (pip, mvn, npm),
// so that mirrors, proxies and certificates set up there hold. Runs it as a child without a
// shell; a child silent for kClientIdleMsMax (no byte in `directory`) or older than
// kClientMsMax is ended. `on_bytes` gets the bytes in `directory` a few times a second.
// Errors: `unsupported` (no such client on this machine, with what to install), `not_found`
// (the registry has no such package), `unavailable` (no network, disk full), `deadline`,
// `cancelled`. Returns the path of the archive, in `directory`, which must be empty.
inline constexpr std::int64_t kClientIdleMsMax = 180'000;
inline constexpr std::int64_t kClientMsMax = 3 * 3'600'000;
Result<std::string> download_package(const std::string& client, const std::string& package,
                                     const std::string& directory,
                                     const std::function<void(std::uint64_t)>& on_bytes,
                                     std::stop_token stop);

// The line of a client's output that says why it failed.
std::string reason_in_output(std::string_view output);

}  // namespace qiao::model
