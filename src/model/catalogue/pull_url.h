// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "base/disk.h"
#include "base/result.h"

namespace qiao::model {

// A file on a web server, and how much of it we have.
struct UrlDownload {
  std::string url;
  DiskFile* out = nullptr;      // not owned; bytes go to `begin` and on
  std::uint64_t begin = 0;      // where this download's bytes start in `out`
  std::uint64_t have = 0;       // bytes an earlier try left there; updated
  std::uint64_t bytes_max = 0;  // longer is `corrupt`
  std::string etag;             // of what we have; updated
  std::function<void(std::uint64_t have)> progress;
};

// Fetches what is missing by a Range request; a server that knows no ranges, or has another
// file by now (If-Range), starts over. Follows at most 5 redirects, never from https to http.
// A connection that breaks or stays silent for a minute is tried again while tries bring bytes,
// at most kTriesMax times in all. Errors: `not_found` (404), `permission` (401, 403),
// `unavailable`, `deadline`, `cancelled`.
inline constexpr int kUrlTriesMax = 20;
Status download_url(UrlDownload& download, std::stop_token stop);

// The absolute address that `location` means on a page at `base`.
std::string resolve_redirect(const std::string& base, const std::string& location);

}  // namespace qiao::model
