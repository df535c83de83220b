// SPDX-License-Identifier: Apache-2.0
#include "model/convert/convert_protobuf.h"

#include <string>

namespace qiao::model {
namespace {

constexpr std::uint64_t kFieldNumberMax = (1U << 29U) - 1;

Error damaged(std::string_view what, std::size_t at) {
  return {Code::kCorrupt,
          "not a whole protobuf message: " + std::string(what) + " at byte " + std::to_string(at)};
}

Result<std::uint64_t> read_varint(std::string_view text, std::size_t& at) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (at >= text.size()) return damaged("a number is cut", at);
    const auto byte = static_cast<unsigned char>(text[at++]);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  return damaged("a number has more than 10 bytes", at);
}

}  // namespace

Result<std::uint64_t> ProtoReader::fixed(std::size_t bytes) {
  if (text_.size() - at_ < bytes) return damaged("a number is cut", at_);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(text_[at_ + i])) << (8 * i);
  }
  at_ += bytes;
  return value;
}

Result<ProtoField> ProtoReader::next() {
  const std::size_t start = at_;
  QIAO_ASSIGN(const std::uint64_t tag, read_varint(text_, at_));
  if (tag >> 3U == 0 || tag >> 3U > kFieldNumberMax) return damaged("a bad field number", start);
  ProtoField field;
  field.number = static_cast<std::uint32_t>(tag >> 3U);
  switch (tag & 7U) {
    case 0: {
      QIAO_ASSIGN(field.value, read_varint(text_, at_));
      return field;
    }
    case 1: {
      QIAO_ASSIGN(field.value, fixed(8));
      return field;
    }
    case 2: {
      QIAO_ASSIGN(const std::uint64_t size, read_varint(text_, at_));
      if (size > text_.size() - at_) return damaged("a field passes the end", start);
      field.is_bytes = true;
      field.bytes = text_.substr(at_, size);
      at_ += size;
      return field;
    }
    case 5: {
      QIAO_ASSIGN(field.value, fixed(4));
      return field;
    }
    default:
      return damaged("an unknown wire type", start);
  }
}

Status append_integers(const ProtoField& field, std::vector<std::int64_t>& out) {
  std::size_t at = 0;
  do {
    if (out.size() == kProtoIntegersMax) return damaged("a shape has too many sides", at);
    std::uint64_t value = field.value;
    if (field.is_bytes) {
      QIAO_ASSIGN(value, read_varint(field.bytes, at));
    }
    out.push_back(static_cast<std::int64_t>(value));
  } while (field.is_bytes && at < field.bytes.size());
  return {};
}

}  // namespace qiao::model
