// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>

#include "message/message.h"

namespace qiao {

// The newest messages by offset, so that a delivery need not read the log. First in, first out,
// within `bytes_max`. One thread at a time.
class BodyCache {
 public:
  using MessagePtr = std::shared_ptr<const Message>;

  explicit BodyCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // Null when it is not kept.
  [[nodiscard]] MessagePtr find(std::uint64_t offset) const {
    const auto found = bodies_.find(offset);
    return found == bodies_.end() ? nullptr : found->second;
  }

  void insert(std::uint64_t offset, MessagePtr message) {
    const std::size_t bytes = bytes_of(*message);
    if (!bodies_.emplace(offset, std::move(message)).second) return;
    order_.emplace_back(offset, bytes);
    bytes_ += bytes;
    while (bytes_ > bytes_max_) {
      bodies_.erase(order_.front().first);
      bytes_ -= order_.front().second;
      order_.pop_front();
    }
  }

 private:
  static std::size_t bytes_of(const Message& message) {
    std::size_t bytes = 512;  // the envelope and its place here
    for (const Part& part : message.parts) bytes += part.data.size() + part.media_type.size();
    for (const auto& [name, value] : message.headers) bytes += 64 + name.size() + value.size();
    return bytes;
  }

  const std::size_t bytes_max_;
  std::unordered_map<std::uint64_t, MessagePtr> bodies_;
  std::deque<std::pair<std::uint64_t, std::size_t>> order_;
  std::size_t bytes_ = 0;
};

}  // namespace qiao
