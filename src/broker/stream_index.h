// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "log/record.h"
#include "message/wire.h"

namespace qiao {

// Where in the log the chunks of each kept stream stand: a part of the broker's state machine, of
// records alone. Of a stream only the newest attempt is known; a chunk that does not go on where
// the last one ended is passed over, so what is kept has no hole.
//
// At most kStreamsMax streams, each until kKeptMs after its last chunk; the longest untouched goes
// first. After that the finished message is what is left of an answer. Broker loop only.
class StreamIndex {
 public:
  static constexpr std::size_t kStreamsMax = 1 << 14;
  static constexpr std::int64_t kKeptMs = 24 * 60 * 60 * 1'000;

  struct Entry {
    std::uint32_t attempt = 0;
    bool ended = false;
    std::uint64_t events = 0;  // sealed: what the next chunk begins with
    std::int64_t last_ms = 0;
    std::vector<std::uint64_t> chunks;  // offsets in the log, rising
  };

  // What apply() would do with it: a new attempt begins at 0, another chunk goes on at the end.
  [[nodiscard]] bool fits(const record::Chunk& chunk) const;
  void apply(std::uint64_t offset, const record::Chunk& chunk);
  [[nodiscard]] const Entry* find(std::string_view stream) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  // The oldest record that a kept stream needs.
  [[nodiscard]] std::optional<std::uint64_t> first_offset() const;

  void write(std::string& out) const;
  Status read(WireReader& in);  // into an empty index

 private:
  using Order = std::list<std::string>;  // longest untouched first
  struct Kept {
    Entry entry;
    Order::iterator place;
  };
  void forget_old(std::int64_t now_ms);

  std::map<std::string, Kept, std::less<>> entries_;
  Order order_;
};

}  // namespace qiao
