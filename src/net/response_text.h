// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http_server.h"

namespace qiao::net {

// What the request decides about the form of its answer.
struct AnswerForm {
  bool http11 = true;       // else 1.0: no chunks, the end of the connection ends the body
  bool head = false;        // asked with HEAD: no body
  bool keep_alive = false;  // the connection serves further requests
};

bool has_body(const AnswerForm& form, int status);

// Status line and headers up to the empty line. `body_bytes` absent: the length is not known yet.
// Line breaks in header values become spaces, so that no text of a caller can add a header.
std::string response_head(const AnswerForm& form, int status, const HttpHeaders& headers,
                          std::optional<std::size_t> body_bytes);

// `bytes` as one chunk. Requires: not empty (an empty chunk ends the body).
std::string chunk_text(std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// {"error":{"code","number","message"}}
std::string error_body(const Error& error);

}  // namespace qiao::net
