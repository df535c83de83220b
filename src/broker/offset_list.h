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

// One message of a topic, as far as it is known without its body.
struct Listed {
  Place place;
  std::uint64_t key = 0;  // of compaction, as a stable hash; 0 = none
  std::int64_t time_ms = 0;
  std::uint64_t bytes = 0;
};

// A topic's messages, rising: about four bytes each, nine more with a conversation and with a key.
// One thread at a time.
class OffsetList {
 public:
  // Of write(): before, lists had neither keys nor times nor sizes.
  static constexpr std::uint64_t kForm = 2;

  // Requires: its offset is above last(). Times that go back count as the latest.
  void append(const Listed& listed);
  // Takes out those of `offsets` (rising) that are there; returns how many. Writes the blocks
  // anew that they are in.
  std::size_t remove(const std::vector<std::uint64_t>& offsets);
  // All of them get this time: for a list that was read in the form before.
  void assume_time(std::int64_t time_ms);
  [[nodiscard]] bool contains(std::uint64_t offset) const;
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t first() const { return blocks_.empty() ? 0 : blocks_.front().first; }
  [[nodiscard]] std::uint64_t last() const { return last_; }

  void write(std::string& out) const;
  static Result<OffsetList> read(WireReader& in, std::uint64_t form = kForm);

  // Walks the places in order. Invalid after append().
  class Cursor {
   public:
    Cursor(const OffsetList& list, std::uint64_t from);
    [[nodiscard]] bool at_end() const { return at_end_; }
    [[nodiscard]] const Place& place() const { return listed_.place; }
    [[nodiscard]] const Listed& listed() const { return listed_; }
    void next();

   private:
    void enter_block();

    const OffsetList* list_;
    std::size_t block_ = 0;
    WireReader in_{{}};
    Listed listed_;
    bool at_end_ = false;
  };

 private:
  static constexpr std::size_t kBlockPlaces = 256;

  struct Block {
    std::uint64_t first = 0;
    std::int64_t first_ms = 0;
    // per message: (offset - the one before) * 4 + has key * 2 + has lane, lane, key,
    // time - the one before, bytes
    std::string bytes;
    std::size_t places = 0;
  };
  static Result<OffsetList> read_first_form(WireReader& in);
  void rewrite(Block& block, const std::vector<std::uint64_t>& without, std::uint64_t end);
  void find_last();

  std::vector<Block> blocks_;
  std::uint64_t count_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t last_ = 0;
  std::int64_t last_ms_ = 0;   // of all there ever were
  std::int64_t block_ms_ = 0;  // of the last one there is
};

}  // namespace qiao::broker
