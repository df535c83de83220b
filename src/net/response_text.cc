// SPDX-License-Identifier: Apache-2.0
#include "net/response_text.h"

#include <array>
#include <ctime>
#include <utility>

#include "base/json.h"

namespace qiao::net {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 28> kReasons = {{
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
}};

std::string_view reason_of(int status) {
  for (const auto& [code, reason] : kReasons)
    if (code == status) return reason;
  return "Status";
}

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7), made once a second and thread.
std::string_view http_date() {
  thread_local std::time_t made_for = 0;
  thread_local std::array<char, 32> text{};
  thread_local std::size_t size = 0;
  const std::time_t now = std::time(nullptr);
  if (now != made_for) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    made_for = now;
  }
  return {text.data(), size};
}

void put_value(std::string& out, std::string_view value) {
  for (const char c : value) out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
}

void put_header(std::string& out, std::string_view name, std::string_view value) {
  put_value(out, name);
  out += ": ";
  put_value(out, value);
  out += "\r\n";
}

}  // namespace

bool has_body(const AnswerForm& form, int status) {
  return !form.head && status != 204 && status != 304;
}

std::string response_head(const AnswerForm& form, int status, const HttpHeaders& headers,
                          std::optional<std::size_t> body_bytes) {
  std::string out;
  out.reserve(256);
  out.append(form.http11 ? "HTTP/1.1 " : "HTTP/1.0 ").append(std::to_string(status));
  out.append(" ").append(reason_of(status)).append("\r\n");
  put_header(out, "Date", http_date());
  for (const auto& [name, value] : headers) put_header(out, name, value);
  if (status != 204 && status != 304) {
    if (body_bytes)
      put_header(out, "Content-Length", std::to_string(*body_bytes));
    else if (form.http11)
      put_header(out, "Transfer-Encoding", "chunked");
  }
  if (!form.keep_alive) {
    put_header(out, "Connection", "close");
  } else if (!form.http11) {
    put_header(out, "Connection", "keep-alive");
  }
  return out.append("\r\n");
}

std::string chunk_text(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() + 20);
  int shift = 60;
  while (shift > 0 && (bytes.size() >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) out += kDigits[(bytes.size() >> shift) & 0xF];
  return out.append("\r\n").append(bytes).append("\r\n");
}

std::string error_body(const Error& error) {
  Json body;
  body["error"]["code"] = name_of(error.code);
  body["error"]["number"] = static_cast<int>(error.code);
  body["error"]["message"] = error.message;
  return dump_json(body);
}

}  // namespace qiao::net
