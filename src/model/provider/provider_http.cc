// SPDX-License-Identifier: Apache-2.0
#include "model/provider/provider_http.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/fetch.h"
#include "base/random.h"
#include "model/provider/provider_wire.h"

namespace qiao::model {
namespace {

constexpr std::size_t kErrorBodyBytesMax = 64 << 10;

bool may_pass(int status) {
  return status == 408 || status == 429 || status >= 500;
}

std::string header(const FetchResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

bool is_loopback(const std::string& url) {
  for (const std::string_view host : {"://127.", "://localhost", "://[::1]"}) {
    if (url.find(host) != std::string::npos) return true;
  }
  return false;
}

// Sleeps; false when asked to stop.
bool pause_ms(std::int64_t ms, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  woken.wait_for(lock, stop, std::chrono::milliseconds(ms), [] { return false; });
  return !stop.stop_requested();
}

std::int64_t backoff_ms(int tries, Rng& rng) {
  const std::int64_t most =
      std::min(ProviderHttp::kPauseMsMax, ProviderHttp::kPauseMsMin << (tries - 1));
  return static_cast<std::int64_t>(rng.unit() * static_cast<double>(most));
}

std::string labels_of(const ProviderAddress& address) {
  return "model=\"" + address.name + "\"";
}

}  // namespace

std::int64_t retry_after_ms(const std::string& value, std::int64_t now_ms) {
  constexpr std::int64_t kSecondsMax = 86'400;
  std::int64_t seconds = 0;
  const char* end = value.data() + value.size();
  const auto [at, fault] = std::from_chars(value.data(), end, seconds);
  if (fault == std::errc() && at == end && seconds >= 0) {
    return std::min(seconds, kSecondsMax) * 1000;
  }
  std::tm date{};
  if (::strptime(value.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) == nullptr) return -1;
  const std::int64_t left = static_cast<std::int64_t>(::timegm(&date)) * 1000 - now_ms;
  return std::clamp<std::int64_t>(left, 0, kSecondsMax * 1000);
}

// What one try came to.
struct ProviderHttp::Try {
  Status status;
  bool again = false;         // another try may help
  std::int64_t wait_ms = -1;  // what Retry-After asks for
};

ProviderHttp::ProviderHttp(ProviderAddress address, const Clock& clock, Metrics& metrics)
    : address_(std::move(address)),
      clock_(clock),
      tries_(metrics.counter("qiao_provider_requests_total", "Requests sent to a provider",
                             labels_of(address_))),
      retries_(metrics.counter("qiao_provider_retries_total", "Requests sent again",
                               labels_of(address_))),
      failures_(metrics.counter("qiao_provider_failures_total", "Exchanges given up",
                                labels_of(address_))) {}

Error ProviderHttp::error_of_status(int status, const std::string& body) const {
  const std::string who = "model " + address_.name + " at " + address_.url;
  const std::string said = " (" + std::to_string(status) + ": " + error_text(body) + ")";
  switch (status) {
    case 401:
      return {Code::kUnauthenticated,
              who +
                  (address_.key_env.empty()
                       ? ": a key is needed; name its environment variable in api_key_env"
                       : ": the key in $" + address_.key_env + " is not accepted") +
                  said};
    case 403:
      return {Code::kPermission, who + ": the key may not use " + address_.remote_name + said};
    case 404:
      return not_found(who + ": no such address or no model " + address_.remote_name +
                       " there; url must end in /v1, see remote_name" + said);
    case 429:
      return overloaded(who + ": the provider's rate limit is reached; try again later" + said);
    default:
      break;
  }
  if (may_pass(status)) return unavailable(who + ": the provider fails now" + said);
  if (status >= 300 && status < 400) {
    return invalid_argument(who + " redirects elsewhere; write the final address" + said);
  }
  return invalid_argument(who + ": the provider refuses the request" + said);
}

ProviderHttp::Try ProviderHttp::post_once(const std::string& url, const std::string& body,
                                          std::int64_t deadline_us, const std::stop_token& stop,
                                          const OnBytes& on_bytes, bool* is_stream) const {
  Try result;
  FetchRequest request;
  request.method = "POST";
  request.url = url;
  request.body = body;
  request.no_proxy = is_loopback(url);
  request.headers = {{"Content-Type", "application/json"},
                     {"Accept", "text/event-stream, application/json"}};
  if (!address_.key.empty())
    request.headers.emplace_back("Authorization", "Bearer " + address_.key);
  request.timeout_ms = std::max<std::int64_t>((deadline_us - clock_.steady_us()) / 1000, 1);

  int status = 0;
  std::string error_body;
  bool answered = false;
  request.on_head = [&](const FetchResponse& head) {
    status = head.status;
    result.wait_ms = retry_after_ms(header(head, "retry-after"), clock_.wall_ms());
    if (is_stream != nullptr) {
      *is_stream = header(head, "content-type").starts_with("text/event-stream");
    }
    return true;
  };
  request.on_body = [&](std::string_view bytes) {
    if (status != 200) {
      error_body.append(bytes.substr(0, kErrorBodyBytesMax - error_body.size()));
      return true;
    }
    answered = true;
    result.status = on_bytes(bytes);
    return result.status.has_value();
  };
  const Result<FetchResponse> done = fetch(request, stop);
  if (!result.status) return result;  // the answer's reader refused it
  if (!done) {
    result.status = done.error();
    result.again = !answered && done.error().code == Code::kUnavailable;
    if (done.error().code == Code::kUnavailable && answered) {
      result.status = unavailable("model " + address_.name + ": the provider's answer broke off");
    }
  } else if (status != 200) {
    result.status = error_of_status(status, error_body);
    result.again = may_pass(status) && !(status == 429 && out_of_credit(error_body));
  }
  return result;
}

Status ProviderHttp::post(const std::string& path, const Json& body, std::int64_t deadline_us,
                          std::stop_token stop, const OnBytes& on_bytes, bool* is_stream) {
  const std::string url = address_.url + path;
  const std::string text = dump_json(body);
  Rng rng(random_seed());
  for (int tries = 1;; ++tries) {
    tries_.add();
    Try result = post_once(url, text, deadline_us, stop, on_bytes, is_stream);
    if (result.status) return {};
    const std::int64_t left_ms = (deadline_us - clock_.steady_us()) / 1000;
    const std::int64_t wait_ms = result.wait_ms >= 0 ? result.wait_ms : backoff_ms(tries, rng);
    if (!result.again || tries == kTriesMax || wait_ms >= left_ms) {
      failures_.add();
      return std::move(result.status);
    }
    retries_.add();
    if (!pause_ms(wait_ms, stop)) return Error{Code::kCancelled, "the request was cancelled"};
  }
}

}  // namespace qiao::model
