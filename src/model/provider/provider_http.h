// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/result.h"

namespace qiao::model {

// Where a provider is and how to ask it.
struct ProviderAddress {
  std::string name;         // the model's name here, for errors
  std::string url;          // up to and with /v1, no slash at the end
  std::string remote_name;  // the model's name there
  std::string key;          // "": none is sent. Never printed.
  std::string key_env;      // the variable it came from, for errors
};

// Posts JSON to a provider and tries again where that can help: no connection, 408, 429 and 5xx,
// and only while no byte of an answer has come. Waits between tries 0.5 s × 2ⁿ with full jitter,
// at most 8 s, or as long as Retry-After says; never past the deadline. At most kTriesMax tries.
//
// Errors say what to do: unauthenticated (key), not_found (address or model), overloaded (429),
// invalid_argument (the provider refuses the request), unavailable, deadline, cancelled.
// Thread-safe; blocks.
class ProviderHttp {
 public:
  static constexpr int kTriesMax = 4;
  static constexpr std::int64_t kPauseMsMin = 500;
  static constexpr std::int64_t kPauseMsMax = 8'000;
  // Gets bytes of a 200 answer; an Error ends the exchange and is returned.
  using OnBytes = std::function<Status(std::string_view bytes)>;

  ProviderHttp(ProviderAddress address, const Clock& clock, Metrics& metrics);

  // `is_stream`, when not null, tells before the first on_bytes whether the answer is an event
  // stream or one JSON object.
  Status post(const std::string& path, const Json& body, std::int64_t deadline_us,
              std::stop_token stop, const OnBytes& on_bytes, bool* is_stream = nullptr);

  [[nodiscard]] const ProviderAddress& address() const { return address_; }

 private:
  struct Try;
  Try post_once(const std::string& url, const std::string& body, std::int64_t deadline_us,
                const std::stop_token& stop, const OnBytes& on_bytes, bool* is_stream) const;
  [[nodiscard]] Error error_of_status(int status, const std::string& body) const;

  ProviderAddress address_;
  const Clock& clock_;
  Counter& tries_;
  Counter& retries_;
  Counter& failures_;
};

// Seconds in a Retry-After header (a number or an HTTP date), as milliseconds; -1 when neither.
std::int64_t retry_after_ms(const std::string& value, std::int64_t now_ms);

}  // namespace qiao::model
