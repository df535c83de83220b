// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace qiao::model {

// One field of a protobuf message: a number (varint, fixed32, fixed64) or a run of bytes.
struct ProtoField {
  std::uint32_t number = 0;
  bool is_bytes = false;
  std::uint64_t value = 0;
  std::string_view bytes;  // into the reader's text
};

// Walks the fields of one encoded protobuf message, without a schema and without copying
// (protobuf.dev/programming-guides/encoding). Groups and lengths past the end are `corrupt`.
//
// `text` must outlive the reader and the fields it gave. One thread at a time.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool done() const { return at_ == text_.size(); }
  // Requires: !done().
  Result<ProtoField> next();

 private:
  Result<std::uint64_t> fixed(std::size_t bytes);

  std::string_view text_;
  std::size_t at_ = 0;
};

inline constexpr std::size_t kProtoIntegersMax = 16;

// Appends the numbers of a repeated int64 field, which may be packed or single; `corrupt` past
// kProtoIntegersMax (the only such field we read is a tensor's shape).
Status append_integers(const ProtoField& field, std::vector<std::int64_t>& out);

}  // namespace qiao::model
