// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace qiao::model {

// What passes between a worker and its supervisor over their socket: a length (4 bytes), a type
// (1), the number of the request it belongs to or 0 (8), and a body; little-endian.
enum class FrameType : std::uint8_t {
  // To the worker.
  kOpen = 1,  // options as JSON; the model's file rides along as a descriptor
  kGenerate,  // milliseconds left (8 bytes), request as JSON
  kEmbed,     // texts as JSON
  kEncode,    // lists of tokens (worker_codec.h)
  kCount,     // text
  kCancel,
  kPing,
  // From the worker.
  kOpened,  // ModelInfo as JSON
  kText,    // a piece of an answer
  kDone,    // Generated as JSON; vectors (worker_codec.h); a count (8 bytes)
  kFailed,  // an Error as JSON; of request 0: the model could not be opened
  kPong,    // steps done (8 bytes), busy (1)
};

struct Frame {
  FrameType type = FrameType::kPing;
  std::uint64_t id = 0;
  std::string body;
};

inline constexpr std::size_t kFrameBytesMax = 64 << 20;  // of a body

// Appends the frame's bytes. Requires: body.size() <= kFrameBytesMax.
void append_frame(std::string& out, FrameType type, std::uint64_t id, std::string_view body);

// Cuts what comes off the socket into frames. One thread at a time. Holds at most one frame and
// what was fed with its end.
class FrameReader {
 public:
  void feed(std::string_view bytes) { bytes_ += bytes; }
  // The next whole frame, nothing while it is not whole; `corrupt` when this is no frame.
  Result<std::optional<Frame>> next();

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

// Eight bytes for a number and back.
std::string bytes_of_number(std::uint64_t number);
Result<std::uint64_t> number_of_bytes(std::string_view bytes);

}  // namespace qiao::model
