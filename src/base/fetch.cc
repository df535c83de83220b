// SPDX-License-Identifier: Apache-2.0
#include "base/fetch.h"

#include <curl/curl.h>

#include <memory>

namespace qiao {
namespace {

// One easy handle per thread, so that its connections are used again.
CURL* thread_handle() {
  static const CURLcode kGlobal = curl_global_init(CURL_GLOBAL_DEFAULT);
  thread_local const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> kHandle(
      kGlobal == CURLE_OK ? curl_easy_init() : nullptr, &curl_easy_cleanup);
  return kHandle.get();
}

struct Exchange {
  const FetchRequest& request;
  FetchResponse response;
  std::stop_token stop;
  bool too_large = false;
  bool refused = false;
  bool head_given = false;
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view chunk(data, size * count);
  if (exchange.request.on_body) {
    exchange.refused = !exchange.request.on_body(chunk);
    return exchange.refused ? 0 : chunk.size();
  }
  exchange.too_large =
      exchange.response.body.size() + chunk.size() > exchange.request.body_bytes_max;
  if (exchange.too_large) return 0;
  exchange.response.body.append(chunk);
  return chunk.size();
}

// "HTTP/1.1 200 OK" → 200; 0 when it is not of that form.
int status_of(std::string_view line) {
  const std::size_t space = line.find(' ');
  int status = 0;
  for (std::size_t i = space + 1; space != std::string_view::npos && i < line.size(); ++i) {
    if (line[i] < '0' || line[i] > '9' || i > space + 3) break;
    status = status * 10 + (line[i] - '0');
  }
  return status;
}

// The empty line after the headers. False: the caller wants no more.
bool end_head(Exchange& exchange) {
  const bool final = exchange.response.status >= 200;  // not 100 Continue
  if (!final || exchange.head_given) return true;      // or the end of a trailer
  exchange.head_given = true;
  if (exchange.request.on_head) exchange.refused = !exchange.request.on_head(exchange.response);
  return !exchange.refused;
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  std::string_view line(data, size * count);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    exchange.response.headers.clear();  // of a 100 Continue
    exchange.response.status = status_of(line);
  }
  if (line.empty()) return end_head(exchange) ? size * count : 0;
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos && exchange.response.headers.size() < 256) {
    std::string name(line.substr(0, colon));
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    line.remove_prefix(colon + 1);
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    exchange.response.headers.emplace_back(std::move(name), line);
  }
  return size * count;
}

int check_stop(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(user)->stop.stop_requested() ? 1 : 0;
}

Error error_of(CURLcode code, const Exchange& exchange) {
  const std::string where = exchange.request.method + " " + exchange.request.url;
  if (exchange.stop.stop_requested() || exchange.refused)
    return {Code::kCancelled, where + " was cancelled"};
  if (exchange.too_large) {
    return {Code::kUnavailable, where + ": the answer is larger than " +
                                    std::to_string(exchange.request.body_bytes_max) + " bytes"};
  }
  if (code == CURLE_OPERATION_TIMEDOUT) return {Code::kDeadline, where + " took too long"};
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
    return invalid_argument(where + ": the address is not an http or https URL");
  }
  return unavailable(where + ": " + curl_easy_strerror(code));
}

// A proxy cannot reach our own machine.
bool is_loopback(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view host = url.substr(scheme + 3);
  return host.starts_with("127.") || host.starts_with("localhost:") ||
         host.starts_with("localhost/") || host == "localhost" || host.starts_with("[::1]");
}

// A line break would smuggle in a header of its own.
Status check_headers(const FetchRequest& request) {
  for (const auto& [name, value] : request.headers) {
    if (name.find_first_of("\r\n:") != std::string::npos ||
        value.find_first_of("\r\n") != std::string::npos)
      return invalid_argument("header '" + name + "' has a line break or colon in it");
  }
  return {};
}

void set_method(CURL* curl, const FetchRequest& request) {
  if (request.method == "HEAD") curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

}  // namespace

Result<FetchResponse> fetch(const FetchRequest& request, std::stop_token stop) {
  QIAO_TRY(check_headers(request));
  CURL* curl = thread_handle();
  if (curl == nullptr) return internal("libcurl did not start");
  Exchange exchange{request, {}, std::move(stop)};
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout_ms));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  if (request.idle_timeout_ms > 0) {
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes a second
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                     static_cast<long>((request.idle_timeout_ms + 999) / 1000));
  }
  if (request.no_proxy || is_loopback(request.url)) curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  set_method(curl, request);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &check_stop);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &exchange);

  curl_slist* list = curl_slist_append(nullptr, "Expect:");  // no 100-continue round trip
  for (const auto& [name, value] : request.headers)
    list = curl_slist_append(list, (name + ": " + value).c_str());
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(list,
                                                                            &curl_slist_free_all);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());

  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) return error_of(code, exchange);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  exchange.response.status = static_cast<int>(status);
  return std::move(exchange.response);
}

}  // namespace qiao
