// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/model.h"

namespace qiao::server {

// Finds the conversation that a plain OpenAI client goes on with: such a client names none, but
// sends all turns again each time. A conversation is filed under what its client will send next,
// the turns so far, and taken out by the request that sends exactly these. Two conversations with
// the same turns are alike, and each goes to one of the two requests, so users never share one.
//
// Remembers the newest `kRemembered` conversations; a request that fits none begins a new one.
// Thread-safe.
class ConversationFinder {
 public:
  static constexpr std::size_t kRemembered = 10'000;

  // The key of `turns` (system turns do not count) of `user` with `flow`.
  static std::string key_of(std::string_view flow, std::string_view user,
                            const std::vector<ChatTurn>& turns);

  std::optional<std::string> take(const std::string& key);
  void put(const std::string& key, std::string conversation);

 private:
  struct Entry {
    std::string key;
    std::string conversation;
  };

  std::mutex mutex_;
  std::list<Entry> entries_;  // newest first
  std::unordered_multimap<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace qiao::server
