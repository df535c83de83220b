// SPDX-License-Identifier: Apache-2.0
#include "net/request_reader.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <cctype>
#include <cstdint>
#include <utility>

#include "net/target.h"

namespace qiao::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

// A body as a string that grows with what comes. Beast's own string_body reserves the announced
// length at once, which lets a peer claim memory without sending a byte.
struct GrowingBody {
  using value_type = std::string;

  class reader {
   public:
    template <bool kRequest, class Fields>
    reader(http::header<kRequest, Fields>&, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>&, error_code& error) { error = {}; }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, error_code& error) {
      error = {};
      std::size_t taken = 0;
      for (const auto& buffer : boost::beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
        taken += buffer.size();
      }
      return taken;
    }
    void finish(error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

// Repeated headers are one list (RFC 9110, section 5.3).
void add_header(std::map<std::string, std::string>& headers, std::string_view name,
                std::string_view value) {
  std::string key(name);
  for (char& c : key) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  auto [at, fresh] = headers.try_emplace(std::move(key), value);
  if (!fresh) at->second.append(at->first == "cookie" ? "; " : ", ").append(value);
}

}  // namespace

class RequestReader::Impl {
 public:
  http::request_parser<GrowingBody> parser;
};

RequestReader::RequestReader(const HttpServerOptions& options)
    : impl_(std::make_unique<Impl>()),
      header_bytes_max_(options.header_bytes_max),
      body_bytes_max_(options.body_bytes_max) {
  const std::size_t limit = std::min<std::size_t>(header_bytes_max_, UINT32_MAX);
  impl_->parser.header_limit(static_cast<std::uint32_t>(limit));
  impl_->parser.body_limit(body_bytes_max_);
}

RequestReader::~RequestReader() = default;

std::size_t RequestReader::feed(std::string_view bytes) {
  // An empty chunked body ends with so many bytes. Beast, given fewer of them twice, takes its own
  // state for broken.
  constexpr std::size_t kLastChunkBytes = 5;
  const bool short_end = bytes.size() < kLastChunkBytes && bytes.starts_with('0');
  if (stage_ == Stage::kBody && impl_->parser.chunked() && short_end) return 0;
  error_code error;
  const std::size_t used =
      impl_->parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (stage_ == Stage::kHeader) header_bytes_ += used;
  // Beast bounds what it has not consumed; a header trickled in line by line is consumed as it
  // comes, and an endless chunk header is not bounded at all.
  const std::size_t held =
      stage_ == Stage::kHeader ? header_bytes_ + bytes.size() - used : bytes.size() - used;
  if (error == http::error::header_limit ||
      (error == http::error::need_more && held > header_bytes_max_)) {
    fail_parse(431, "its header is longer than " + std::to_string(header_bytes_max_) + " bytes");
  } else if (error == http::error::body_limit) {
    fail_parse(413, "its body is longer than " + std::to_string(body_bytes_max_) + " bytes");
  } else if (error && error != http::error::need_more) {
    fail_parse(400, error.message());
  } else if (stage_ == Stage::kHeader && impl_->parser.is_header_done()) {
    end_header();
  } else if (stage_ == Stage::kBody && impl_->parser.is_done()) {
    stage_ = Stage::kDone;
  }
  return used;
}

void RequestReader::end_header() {
  stage_ = Stage::kBody;
  const auto& header = impl_->parser.get();
  form_.http11 = header.version() >= 11;
  form_.head = header.method() == http::verb::head;
  form_.keep_alive = impl_->parser.keep_alive();
  request_.method = view(header.method_string());
  for (const auto& field : header)
    add_header(request_.headers, view(field.name_string()), view(field.value()));
  check_header();
  if (stage_ == Stage::kFault) return;
  Result<Target> target = parse_target(view(header.target()));
  if (!target) return fail(400, std::move(target.error()));
  request_.path = std::move(target->path);
  request_.query = std::move(target->query);
  if (impl_->parser.is_done()) stage_ = Stage::kDone;
  impl_->parser.eager(true);
}

// What RFC 9112 asks of a server and Beast leaves to it.
void RequestReader::check_header() {
  const auto& header = impl_->parser.get();
  const std::size_t hosts = header.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && form_.http11))
    return fail_parse(400, "HTTP/1.1 needs exactly one Host header");
  // Bytes of an encoding not understood here would be taken for the next request.
  const auto encoding = request_.headers.find("transfer-encoding");
  if (encoding != request_.headers.end() && !equal_ignoring_case(encoding->second, "chunked"))
    return fail(501, {Code::kUnsupported,
                      "the request was refused: the only transfer encoding known is chunked"});
  const auto expect = request_.headers.find("expect");
  if (expect == request_.headers.end() || !form_.http11) return;
  if (!equal_ignoring_case(expect->second, "100-continue"))
    return fail_parse(417, "the only expectation known is 100-continue");
  expects_continue_ = true;
}

HttpRequest RequestReader::take(std::string peer) {
  request_.body = std::move(impl_->parser.get().body());
  request_.peer = std::move(peer);
  return std::move(request_);
}

void RequestReader::fail_parse(int status, std::string_view reason) {
  fail(status, invalid_argument("the request was refused: " + std::string(reason)));
}

void RequestReader::fail(int status, Error error) {
  stage_ = Stage::kFault;
  form_.keep_alive = false;  // where the next request would begin is not known
  fault_ = {status, std::move(error)};
}

}  // namespace qiao::net
