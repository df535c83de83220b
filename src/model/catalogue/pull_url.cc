// SPDX-License-Identifier: Apache-2.0
#include "model/catalogue/pull_url.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/fetch.h"

namespace qiao::model {
namespace {

constexpr int kRedirectsMax = 5;
constexpr int kFruitlessTriesMax = 3;
constexpr std::int64_t kIdleTimeoutMs = 60'000;

std::string header(const FetchResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// The first byte's number in "bytes 100-199/200".
std::optional<std::uint64_t> range_start(std::string_view content_range) {
  constexpr std::string_view kUnit = "bytes ";
  if (!content_range.starts_with(kUnit)) return std::nullopt;
  content_range.remove_prefix(kUnit.size());
  std::uint64_t start = 0;
  const auto [end, fault] =
      std::from_chars(content_range.data(), content_range.data() + content_range.size(), start);
  if (fault != std::errc() || end == content_range.data() + content_range.size() || *end != '-') {
    return std::nullopt;
  }
  return start;
}

Error refused(int status, const std::string& url) {
  const std::string what = url + " answered " + std::to_string(status);
  switch (status) {
    case 401:
    case 403:
      return {Code::kPermission, what +
                                     ": the file needs a right that we have not; fetch it by "
                                     "hand and pull it from its path"};
    case 404:
    case 410:
      return not_found(what + ": the file is not there any more");
    default:
      return unavailable(what + ": try again later");
  }
}

// One request. Writes what comes; `moved` gets the address of a redirect.
class Try {
 public:
  Try(UrlDownload& download, std::string url) : download_(download), url_(std::move(url)) {}

  Status run(std::stop_token stop, std::string& moved) {
    FetchRequest request;
    request.url = url_;
    request.timeout_ms = 0;
    request.idle_timeout_ms = kIdleTimeoutMs;
    if (download_.have > 0) {
      request.headers.emplace_back("Range", "bytes=" + std::to_string(download_.have) + "-");
      if (!download_.etag.empty()) request.headers.emplace_back("If-Range", download_.etag);
    }
    request.on_head = [this](const FetchResponse& head) { return begin(head); };
    request.on_body = [this](std::string_view chunk) { return take(chunk); };
    const Result<FetchResponse> done = fetch(request, stop);
    if (fault_) return *fault_;
    if (!done) return done.error();
    if (done->status == 416 && download_.have > 0) return {};  // nothing is missing
    if (is_redirect(done->status)) {
      moved = resolve_redirect(url_, header(*done, "location"));
      return {};
    }
    return done->status == 200 || done->status == 206 ? Status{} : refused(done->status, url_);
  }

 private:
  bool begin(const FetchResponse& head) {
    keep_ = head.status == 200 || head.status == 206;
    if (!keep_) return true;  // the body is an error page: let it pass
    const bool goes_on =
        head.status == 206 && range_start(header(head, "content-range")) == download_.have;
    if (head.status == 206 && !goes_on) {
      fault_ = Error{Code::kCorrupt, url_ + " answered with another range than the one asked"};
      return false;
    }
    if (!goes_on) download_.have = 0;
    download_.etag = header(head, "etag");
    return true;
  }

  bool take(std::string_view chunk) {
    if (!keep_) return true;
    if (chunk.size() > download_.bytes_max - download_.have) {
      fault_ = Error{Code::kCorrupt, url_ + " gives more bytes than it should"};
      return false;
    }
    if (Status put = download_.out->write_at(download_.begin + download_.have, chunk); !put) {
      fault_ = std::move(put.error());
      return false;
    }
    download_.have += chunk.size();
    if (download_.progress) download_.progress(download_.have);
    return true;
  }

  UrlDownload& download_;
  std::string url_;
  bool keep_ = false;
  std::optional<Error> fault_;
};

Status follow(UrlDownload& download, std::stop_token stop) {
  std::string url = download.url;
  for (int i = 0; i <= kRedirectsMax; ++i) {
    std::string moved;
    QIAO_TRY(Try(download, url).run(stop, moved));
    if (moved.empty()) return {};
    if (url.starts_with("https://") && !moved.starts_with("https://")) {
      return Error{Code::kPermission, url + " redirects to an address without TLS: " + moved};
    }
    url = std::move(moved);
  }
  return unavailable(download.url + " redirects more than 5 times");
}

bool worth_another_try(Code code) {
  return code == Code::kUnavailable || code == Code::kDeadline;
}

}  // namespace

std::string resolve_redirect(const std::string& base, const std::string& location) {
  if (location.find("://") != std::string::npos) return location;
  const std::size_t host = base.find("://");
  if (location.empty() || host == std::string::npos) return location;
  if (location.starts_with("//")) return base.substr(0, host + 1) + location;
  const std::size_t root = std::min(base.find('/', host + 3), base.size());
  if (location.starts_with("/")) return base.substr(0, root) + location;
  const std::size_t query = std::min(base.find_first_of("?#", root), base.size());
  const std::size_t folder = base.rfind('/', query);
  return base.substr(0, std::max(folder, root)) + "/" + location;
}

Status download_url(UrlDownload& download, std::stop_token stop) {
  int fruitless = 0;
  for (int i = 1;; ++i) {
    const std::uint64_t before = download.have;
    Status done = follow(download, stop);
    if (done || !worth_another_try(done.error().code)) return done;
    fruitless = download.have > before ? 0 : fruitless + 1;
    if (fruitless == kFruitlessTriesMax || i == kUrlTriesMax) return done;
  }
}

}  // namespace qiao::model
