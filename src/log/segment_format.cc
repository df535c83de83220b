// SPDX-License-Identifier: Apache-2.0
#include "log/segment_format.h"

#include <charconv>
#include <cstring>

#include "base/digest.h"

namespace qiao::segment {
namespace {

constexpr std::string_view kFileMagic = "QIAOSEG1";
constexpr std::string_view kSnapshotMagic = "QIAOSNP1";
constexpr std::uint16_t kFrameMagic = 0x4651;  // "QF"
constexpr std::uint16_t kAfterSync = 1;
constexpr std::size_t kSnapshotHeaderBytes = 32;
constexpr std::size_t kNameDigits = 20;
// The header's own sum stands first and covers what follows it.
constexpr std::size_t kFrameSumBytes = 4;

template <class T>
void put(char*& at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    *at++ = static_cast<char>(value & 0xff);
    value = static_cast<T>(static_cast<std::uint64_t>(value) >> 8);
  }
}

template <class T>
T take(const char*& at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(*at++)) << (8 * i);
  return static_cast<T>(value);
}

std::uint32_t record_sum(std::uint8_t kind, std::string_view bytes) {
  const char head = static_cast<char>(kind);
  return crc32c(bytes, crc32c({&head, 1}));
}

}  // namespace

std::string encode(FileHeader& header) {
  std::string out(kFileHeaderBytes, '\0');
  std::memcpy(out.data(), kFileMagic.data(), kFileMagic.size());
  char* at = out.data() + kFileMagic.size();
  put(at, header.first);
  put(at, header.salt);
  put(at, header.chain);
  header.sum = crc32c(std::string_view(out).substr(0, kFileHeaderBytes - 4));
  put(at, header.sum);
  return out;
}

std::optional<FileHeader> decode_file_header(std::string_view bytes) {
  if (bytes.size() < kFileHeaderBytes || !bytes.starts_with(kFileMagic)) return std::nullopt;
  const char* at = bytes.data() + kFileMagic.size();
  FileHeader header;
  header.first = take<std::uint64_t>(at);
  header.salt = take<std::uint64_t>(at);
  header.chain = take<std::uint32_t>(at);
  header.sum = take<std::uint32_t>(at);
  if (header.sum != crc32c(bytes.substr(0, kFileHeaderBytes - 4))) return std::nullopt;
  return header;
}

bool may_be_frame(std::string_view bytes) {
  const char* at = bytes.data() + kFrameSumBytes;
  return bytes.size() >= kFrameHeaderBytes && take<std::uint16_t>(at) == kFrameMagic;
}

std::optional<FrameHeader> decode_frame_header(std::string_view bytes, std::uint32_t seed) {
  if (bytes.size() < kFrameHeaderBytes) return std::nullopt;
  const char* at = bytes.data();
  FrameHeader header;
  header.sum = take<std::uint32_t>(at);
  if (take<std::uint16_t>(at) != kFrameMagic) return std::nullopt;
  const auto flags = take<std::uint16_t>(at);
  header.after_sync = (flags & kAfterSync) != 0;
  header.first = take<std::uint64_t>(at);
  header.count = take<std::uint32_t>(at);
  header.body_bytes = take<std::uint32_t>(at);
  header.chain = take<std::uint32_t>(at);
  header.heads_sum = take<std::uint32_t>(at);
  const std::string_view summed = bytes.substr(kFrameSumBytes, kFrameHeaderBytes - kFrameSumBytes);
  if (header.sum != crc32c(summed, seed)) return std::nullopt;
  if (header.heads_bytes() > header.body_bytes) return std::nullopt;
  return header;
}

RecordHead decode_record_head(std::string_view heads, std::size_t index) {
  const char* at = heads.data() + index * kRecordHeadBytes;
  RecordHead head;
  head.kind = take<std::uint8_t>(at);
  head.bytes = take<std::uint32_t>(at);
  head.sum = take<std::uint32_t>(at);
  return head;
}

bool sum_fits(const RecordHead& head, std::string_view bytes) {
  return bytes.size() == head.bytes && record_sum(head.kind, bytes) == head.sum;
}

bool heads_fit(const FrameHeader& header, std::string_view heads) {
  return heads.size() == header.heads_bytes() && crc32c(heads) == header.heads_sum;
}

bool body_fits(const FrameHeader& header, std::string_view body) {
  if (body.size() != header.body_bytes) return false;
  const std::string_view heads = body.substr(0, header.heads_bytes());
  if (!heads_fit(header, heads)) return false;
  std::string_view rest = body.substr(heads.size());
  for (std::size_t i = 0; i < header.count; ++i) {
    const RecordHead head = decode_record_head(heads, i);
    if (!sum_fits(head, rest.substr(0, head.bytes))) return false;
    rest.remove_prefix(head.bytes);
  }
  return rest.empty();
}

void FrameWriter::add(const std::vector<LogRecord>& batch) {
  for (const LogRecord& record : batch) {
    open_.push_back(&record);
    open_bytes_ += kRecordHeadBytes + record.bytes.size();
  }
}

FrameHeader FrameWriter::finish(std::uint64_t first, bool after_sync) {
  FrameHeader header;
  header.first = first;
  header.count = static_cast<std::uint32_t>(open_.size());
  header.body_bytes = static_cast<std::uint32_t>(open_bytes_);
  header.chain = chain_;
  header.after_sync = after_sync;
  const std::size_t begin = out_.size();
  out_.resize(begin + kFrameHeaderBytes + header.heads_bytes());
  char* at = out_.data() + begin + kFrameHeaderBytes;
  for (const LogRecord* record : open_) {
    put(at, record->kind);
    put(at, static_cast<std::uint32_t>(record->bytes.size()));
    put(at, record_sum(record->kind, record->bytes));
  }
  header.heads_sum =
      crc32c(std::string_view(out_).substr(begin + kFrameHeaderBytes, header.heads_bytes()));
  at = out_.data() + begin + kFrameSumBytes;
  put(at, kFrameMagic);
  put(at, after_sync ? kAfterSync : std::uint16_t{0});
  put(at, header.first);
  put(at, header.count);
  put(at, header.body_bytes);
  put(at, header.chain);
  put(at, header.heads_sum);
  header.sum = crc32c(
      std::string_view(out_).substr(begin + kFrameSumBytes, kFrameHeaderBytes - kFrameSumBytes),
      seed_);
  at = out_.data() + begin;
  put(at, header.sum);
  for (const LogRecord* record : open_) out_.append(record->bytes);
  open_.clear();
  open_bytes_ = 0;
  chain_ = header.sum;
  return header;
}

std::string encode_snapshot(const Snapshot& snapshot) {
  std::string out(kSnapshotHeaderBytes, '\0');
  std::memcpy(out.data(), kSnapshotMagic.data(), kSnapshotMagic.size());
  char* at = out.data() + kSnapshotMagic.size();
  put(at, snapshot.next_offset);
  put(at, static_cast<std::uint64_t>(snapshot.bytes.size()));
  put(at, crc32c(snapshot.bytes));
  put(at, crc32c(std::string_view(out).substr(0, kSnapshotHeaderBytes - 4)));
  return out.append(snapshot.bytes);
}

std::optional<Snapshot> decode_snapshot(std::string_view bytes) {
  if (bytes.size() < kSnapshotHeaderBytes || !bytes.starts_with(kSnapshotMagic))
    return std::nullopt;
  const char* at = bytes.data() + kSnapshotMagic.size();
  Snapshot snapshot;
  snapshot.next_offset = take<std::uint64_t>(at);
  const auto size = take<std::uint64_t>(at);
  const auto body_sum = take<std::uint32_t>(at);
  const auto header_sum = take<std::uint32_t>(at);
  if (header_sum != crc32c(bytes.substr(0, kSnapshotHeaderBytes - 4))) return std::nullopt;
  const std::string_view body = bytes.substr(kSnapshotHeaderBytes);
  if (body.size() != size || crc32c(body) != body_sum) return std::nullopt;
  snapshot.bytes = body;
  return snapshot;
}

std::string file_name(std::uint64_t offset, std::string_view suffix) {
  std::string digits = std::to_string(offset);
  digits.insert(0, kNameDigits - digits.size(), '0');
  return digits.append(suffix);
}

std::optional<std::uint64_t> offset_of_name(std::string_view name, std::string_view suffix) {
  if (name.size() != kNameDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  std::uint64_t offset = 0;
  const char* end = name.data() + kNameDigits;
  const auto parsed = std::from_chars(name.data(), end, offset);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return offset;
}

}  // namespace qiao::segment
