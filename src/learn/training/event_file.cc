// SPDX-License-Identifier: Apache-2.0
#include "learn/training/event_file.h"

#include <bit>
#include <string_view>

#include "base/digest.h"

namespace qiao::learn {
namespace {

// Numbers of fields in event.proto and summary.proto.
constexpr unsigned kEventTime = 1;
constexpr unsigned kEventStep = 2;
constexpr unsigned kEventVersion = 3;
constexpr unsigned kEventSummary = 5;
constexpr unsigned kSummaryValue = 1;
constexpr unsigned kValueTag = 1;
constexpr unsigned kValueSimple = 2;
// Kinds of protobuf's wire.
constexpr unsigned kVarint = 0;
constexpr unsigned kFixed64 = 1;
constexpr unsigned kBytes = 2;
constexpr unsigned kFixed32 = 5;

constexpr const char* kVersion = "brain.Event:2";

template <class T>
std::string little_endian(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    bytes += static_cast<char>(value >> (8 * i) & 0xFFU);
  }
  return bytes;
}

std::string varint(std::uint64_t value) {
  std::string bytes;
  while (value >= 0x80) {
    bytes += static_cast<char>((value & 0x7FU) | 0x80U);
    value >>= 7U;
  }
  return bytes + static_cast<char>(value);
}

std::string field(unsigned number, unsigned kind) {
  return varint(number << 3U | kind);
}

std::string bytes_field(unsigned number, std::string_view bytes) {
  return field(number, kBytes) + varint(bytes.size()) + std::string(bytes);
}

std::string time_field(double wall_seconds) {
  return field(kEventTime, kFixed64) + little_endian(std::bit_cast<std::uint64_t>(wall_seconds));
}

// As TFRecord turns a sum, so that a sum of sums is no trap.
std::uint32_t masked(std::uint32_t sum) {
  constexpr std::uint32_t kMask = 0xA282EAD8U;
  return (sum >> 15U | sum << 17U) + kMask;
}

}  // namespace

std::string tf_record(const std::string& message) {
  const std::string length = little_endian(static_cast<std::uint64_t>(message.size()));
  return length + little_endian(masked(crc32c(length))) + message +
         little_endian(masked(crc32c(message)));
}

Result<EventFile> EventFile::open(Disk& disk, const std::string& folder, double wall_seconds) {
  const std::string stem = folder + "/events.out.tfevents.";
  auto seconds = static_cast<std::uint64_t>(wall_seconds);
  while (disk.exists(stem + std::to_string(seconds) + ".qiao")) ++seconds;  // of one second before
  QIAO_ASSIGN(auto file, disk.open(stem + std::to_string(seconds) + ".qiao", OpenMode::kCreateNew));
  EventFile out(std::move(file));
  QIAO_TRY(out.append(time_field(wall_seconds) + bytes_field(kEventVersion, kVersion)));
  return out;
}

Status EventFile::add(std::int64_t step, const Scalars& scalars, double wall_seconds) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
    summary += bytes_field(kSummaryValue, bytes_field(kValueTag, tag) +
                                              field(kValueSimple, kFixed32) + little_endian(bits));
  }
  return append(time_field(wall_seconds) + field(kEventStep, kVarint) +
                varint(static_cast<std::uint64_t>(step)) + bytes_field(kEventSummary, summary));
}

Status EventFile::append(const std::string& event) {
  const std::string record = tf_record(event);
  QIAO_TRY(file_->write_at(end_, record));
  end_ += record.size();
  return {};
}

}  // namespace qiao::learn
