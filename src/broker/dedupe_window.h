// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "message/wire.h"

namespace qiao::broker {

// The newest `ids_max` message ids, as hashes, and where each message is: first in, first out.
// A match is a hint: compare the ids before believing it. 24 bytes an id. One thread at a time.
class DedupeWindow {
 public:
  // `seed` scatters the table, so that nobody can aim at one place of it; it changes no answer.
  explicit DedupeWindow(std::size_t ids_max, std::uint64_t seed = 0);

  void insert(std::uint64_t hash, std::uint64_t offset);
  [[nodiscard]] std::optional<std::uint64_t> find(std::uint64_t hash) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  void write(std::string& out) const;  // oldest first
  Status read(WireReader& in);

 private:
  struct Entry {
    std::uint64_t hash = 0;
    std::uint64_t offset = 0;
  };
  [[nodiscard]] std::size_t home(std::uint64_t hash) const;
  [[nodiscard]] std::size_t slot_of(std::uint64_t hash) const;  // where it is or would be
  void erase(std::uint64_t hash);
  void grow();

  const std::size_t ids_max_;
  const std::uint64_t seed_;
  std::vector<Entry> entries_;  // a ring once it is full
  std::size_t oldest_ = 0;
  std::vector<std::uint32_t> slots_;  // index in entries_ plus one; 0 = empty; linear probing
};

}  // namespace qiao::broker
