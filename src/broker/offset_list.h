// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "message/wire.h"

namespace qiao::broker {

// Which conversation a message belongs to, as a stable hash; 0 = none. Two conversations with the
// same hash would only wait for each other.
using LaneKey = std::uint64_t;
LaneKey lane_of(std::string_view conversation);

struct Place {
  std::uint64_t offset = 0;
  LaneKey lane = 0;
};

// The places of one topic's messages, rising: one or two bytes each, nine more with a
// conversation. One thread at a time.
class OffsetList {
 public:
  // Requires: place.offset is above last().
  void append(Place place);
  // Takes out those of `offsets` (rising) that are there; returns how many. Writes the list anew.
  std::size_t remove(const std::vector<std::uint64_t>& offsets);
  [[nodiscard]] bool contains(std::uint64_t offset) const;
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t first() const { return blocks_.empty() ? 0 : blocks_.front().first; }
  [[nodiscard]] std::uint64_t last() const { return last_; }

  void write(std::string& out) const;
  static Result<OffsetList> read(WireReader& in);

  // Walks the places in order. Invalid after append().
  class Cursor {
   public:
    Cursor(const OffsetList& list, std::uint64_t from);
    [[nodiscard]] bool at_end() const { return at_end_; }
    [[nodiscard]] const Place& place() const { return place_; }
    void next();

   private:
    void enter_block();

    const OffsetList* list_;
    std::size_t block_ = 0;
    WireReader in_{{}};
    Place place_;
    bool at_end_ = false;
  };

 private:
  static constexpr std::size_t kBlockPlaces = 256;

  struct Block {
    std::uint64_t first = 0;
    std::string bytes;  // per place: (offset - the one before) * 2 + has lane, lane
    std::size_t places = 0;
  };
  std::vector<Block> blocks_;
  std::uint64_t count_ = 0;
  std::uint64_t last_ = 0;
};

}  // namespace qiao::broker
