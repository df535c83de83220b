// SPDX-License-Identifier: Apache-2.0
#include "model/worker/worker_frame.h"

#include <bit>
#include <cstring>

#include "base/check.h"

namespace qiao::model {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers go as they lie in memory");

constexpr std::size_t kHeadBytes = 4 + 1 + 8;
// Bytes already cut into frames are dropped once there are so many.
constexpr std::size_t kDropBytes = 1 << 16;

}  // namespace

void append_frame(std::string& out, FrameType type, std::uint64_t id, std::string_view body) {
  QIAO_CHECK(body.size() <= kFrameBytesMax);
  const auto size = static_cast<std::uint32_t>(body.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  out.push_back(static_cast<char>(type));
  out += bytes_of_number(id);
  out += body;
}

Result<std::optional<Frame>> FrameReader::next() {
  const std::string_view rest = std::string_view(bytes_).substr(at_);
  if (rest.size() < kHeadBytes) return std::optional<Frame>();
  std::uint32_t size = 0;
  std::memcpy(&size, rest.data(), sizeof size);
  const auto type = static_cast<std::uint8_t>(rest[4]);
  if (size > kFrameBytesMax || type < static_cast<std::uint8_t>(FrameType::kOpen) ||
      type > static_cast<std::uint8_t>(FrameType::kPong)) {
    return Error{Code::kCorrupt, "a worker and its supervisor do not understand each other"};
  }
  if (rest.size() < kHeadBytes + size) return std::optional<Frame>();
  Frame frame;
  frame.type = static_cast<FrameType>(type);
  std::memcpy(&frame.id, rest.data() + 5, sizeof frame.id);
  frame.body = rest.substr(kHeadBytes, size);
  at_ += kHeadBytes + size;
  if (at_ == bytes_.size() || at_ >= kDropBytes) {
    bytes_.erase(0, at_);
    at_ = 0;
  }
  return std::optional<Frame>(std::move(frame));
}

std::string bytes_of_number(std::uint64_t number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

Result<std::uint64_t> number_of_bytes(std::string_view bytes) {
  std::uint64_t number = 0;
  if (bytes.size() < sizeof number) return Error{Code::kCorrupt, "a number is cut short"};
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

}  // namespace qiao::model
