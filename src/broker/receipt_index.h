// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "message/wire.h"

namespace qiao::broker {

// Where in the log the receipts of a group's open messages stand: a part of GroupState, of records
// alone. What they say stays in the log; a receipt stands behind its message, so that whatever
// keeps the message keeps the receipt. Of one step the newest counts. Broker loop only.
class ReceiptIndex {
 public:
  static constexpr std::size_t kReceiptBytesMax = 256 << 10;  // of one
  static constexpr std::size_t kPerMessageMax = 64;
  static constexpr std::size_t kBytesPerMessageMax = 1 << 20;
  static constexpr std::size_t kInGroupMax = 1 << 18;

  struct Entry {
    std::uint64_t at = 0;  // offset of the record
    std::size_t bytes = 0;
    std::string step;
  };
  using Entries = std::vector<Entry>;  // in order of the log

  void add(std::uint64_t message, Entry entry);
  void forget(std::uint64_t message);
  [[nodiscard]] const Entries& of(std::uint64_t message) const;
  // Where the newest one stands; 0: there is none.
  [[nodiscard]] std::uint64_t newest(std::uint64_t message) const;

  // Whether `entries` may be added to what the message has: `precondition` when it would have too
  // many or too much, `overloaded` when the group would have too many.
  [[nodiscard]] Status room_for(std::uint64_t message, const Entries& entries) const;

  void write(std::uint64_t message, std::string& out) const;
  void read(std::uint64_t message, WireReader& in);

 private:
  std::map<std::uint64_t, Entries> entries_;  // by message; none is empty
  std::size_t count_ = 0;
};

}  // namespace qiao::broker
