// SPDX-License-Identifier: Apache-2.0
#include "server/api/guard.h"

#include <algorithm>

#include "base/digest.h"
#include "server/config.h"

namespace qiao::server {
namespace {

constexpr std::string_view kBearer = "bearer ";

const std::string* header(const HttpRequest& request, const char* name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? nullptr : &found->second;
}

// "http://host:1/x" or "host:1" → "host".
std::string host_of(std::string_view text) {
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos)
    text.remove_prefix(scheme + 3);
  const std::size_t begin = text.starts_with('[') ? text.find(']') : 0;
  return std::string(text.substr(0, text.find_first_of(":/", std::min(begin, text.size()))));
}

bool is_bearer(std::string_view text) {
  return text.size() >= kBearer.size() &&
         std::equal(kBearer.begin(), kBearer.end(), text.begin(),
                    [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
}

}  // namespace

Guard::Guard(Options options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      tokens_max_(std::max(1.0, options_.requests_per_second)),
      tokens_(tokens_max_),
      filled_us_(clock.steady_us()) {}

Status Guard::check(const HttpRequest& request, Access access) {
  QIAO_TRY(check_origin(request));
  if (access == Access::kOpen) return {};
  QIAO_TRY(check_key(request));
  return take_token();
}

// Only browsers send Origin. A page of another site, also one that made its name point at us,
// must not speak here.
Status Guard::check_origin(const HttpRequest& request) const {
  const std::string* origin = header(request, "origin");
  if (origin == nullptr) return {};
  const std::string* host = header(request, "host");
  const std::string from = host_of(*origin);
  const std::string to = host == nullptr ? "" : host_of(*host);
  const bool ours = options_.loopback ? is_loopback(from) && is_loopback(to) : from == to;
  if (ours) return {};
  return Error{Code::kPermission, "requests of the page " + *origin + " are not taken by " +
                                      (to.empty() ? "this server" : to)};
}

Status Guard::check_key(const HttpRequest& request) const {
  const std::string* given = header(request, "authorization");
  const Error refused{Code::kUnauthenticated,
                      "give the server's key as 'Authorization: Bearer KEY'; it stands in the "
                      "file 'key' of the data directory"};
  if (given == nullptr || !is_bearer(*given)) return refused;
  const std::string_view key = std::string_view(*given).substr(kBearer.size());
  if (!equal_constant_time(key, options_.key)) return refused;
  return {};
}

Status Guard::take_token() {
  if (options_.requests_per_second <= 0) return {};
  std::lock_guard lock(mutex_);
  const std::int64_t now_us = clock_.steady_us();
  const double elapsed_s = static_cast<double>(now_us - filled_us_) / 1e6;
  tokens_ = std::min(tokens_max_, tokens_ + elapsed_s * options_.requests_per_second);
  filled_us_ = now_us;
  if (tokens_ < 1) return overloaded("more requests than this key may send in a second");
  tokens_ -= 1;
  return {};
}

}  // namespace qiao::server
