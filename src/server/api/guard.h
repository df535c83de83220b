// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "net/http_server.h"
#include "server/api/router.h"

namespace qiao::server {

// Lets a request pass or says why not: the key (compared in constant time), the sender's page
// (a foreign Origin, as in DNS rebinding) and the rate. Thread-safe.
class Guard {
 public:
  struct Options {
    std::string key;
    bool loopback = true;            // we listen on a loopback address
    double requests_per_second = 0;  // per key, 0: no limit; bursts of one second's worth pass
  };

  Guard(Options options, const Clock& clock);
  Status check(const HttpRequest& request, Access access);

 private:
  [[nodiscard]] Status check_origin(const HttpRequest& request) const;
  [[nodiscard]] Status check_key(const HttpRequest& request) const;
  Status take_token();

  const Options options_;
  const Clock& clock_;
  const double tokens_max_;
  std::mutex mutex_;  // guards the two below
  double tokens_;
  std::int64_t filled_us_;
};

}  // namespace qiao::server
