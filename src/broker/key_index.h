// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <iterator>
#include <set>
#include <unordered_map>
#include <utility>

#include "broker/offset_list.h"

namespace qiao::broker {

// The newest message of each key of a topic that is compacted, and those it replaces, which are
// kept only as long as a group needs them. Made of the topic's list; about 60 bytes a key. Two
// keys count as one when their 64-bit hashes are the same. Part of State; its thread rule holds.
class KeyIndex {
 public:
  explicit KeyIndex(const OffsetList& list) {
    for (OffsetList::Cursor at(list, 0); !at.at_end(); at.next()) add(at.listed());
  }

  // Requires: its offset is above all added before.
  void add(const Listed& listed) {
    if (listed.key == 0) return;
    const auto [newest, fresh] = newest_.try_emplace(listed.key, listed.place.offset);
    if (fresh) return;
    replaced_.insert(newest->second);
    of_key_.emplace(listed.key, newest->second);
    newest->second = listed.place.offset;
  }
  // When the newest goes, the one before it is the newest again.
  void remove(const Listed& listed) {
    replaced_.erase(listed.place.offset);
    of_key_.erase({listed.key, listed.place.offset});
    const auto newest = newest_.find(listed.key);
    if (newest == newest_.end() || newest->second != listed.place.offset) return;
    const auto before = of_key_.lower_bound({listed.key, listed.place.offset});
    if (before == of_key_.begin() || std::prev(before)->first != listed.key) {
      newest_.erase(newest);
      return;
    }
    newest->second = std::prev(before)->second;
    replaced_.erase(newest->second);
    of_key_.erase(std::prev(before));
  }
  [[nodiscard]] const std::set<std::uint64_t>& replaced() const { return replaced_; }

 private:
  std::unordered_map<std::uint64_t, std::uint64_t> newest_;
  std::set<std::uint64_t> replaced_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> of_key_;  // the same: key, offset
};

}  // namespace qiao::broker
