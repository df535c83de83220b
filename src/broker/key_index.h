// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <unordered_map>

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
    newest->second = listed.place.offset;
  }
  void remove(const Listed& listed) {
    replaced_.erase(listed.place.offset);
    const auto newest = newest_.find(listed.key);
    if (newest != newest_.end() && newest->second == listed.place.offset) newest_.erase(newest);
  }
  [[nodiscard]] const std::set<std::uint64_t>& replaced() const { return replaced_; }

 private:
  std::unordered_map<std::uint64_t, std::uint64_t> newest_;
  std::set<std::uint64_t> replaced_;
};

}  // namespace qiao::broker
