// SPDX-License-Identifier: Apache-2.0
#include "server/openai/openai_conversations.h"

#include "base/digest.h"

namespace qiao::server {
namespace {

// Clients trim what they show and send that back.
std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// With its length, so that no two lists of texts look the same.
void add(std::string& out, std::string_view text) {
  out.append(std::to_string(text.size())).append(":").append(text);
}

}  // namespace

std::string ConversationFinder::key_of(std::string_view flow, std::string_view user,
                                       const std::vector<ChatTurn>& turns) {
  std::string all;
  add(all, flow);
  add(all, user);
  for (const ChatTurn& turn : turns) {
    if (turn.role == Role::kSystem) continue;
    add(all, name_of(turn.role));
    add(all, trimmed(turn.content));
  }
  return sha256(all);
}

std::optional<std::string> ConversationFinder::take(const std::string& key) {
  std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  std::string conversation = std::move(found->second->conversation);
  entries_.erase(found->second);
  by_key_.erase(found);
  return conversation;
}

void ConversationFinder::put(const std::string& key, std::string conversation) {
  std::lock_guard lock(mutex_);
  entries_.push_front({key, std::move(conversation)});
  by_key_.emplace(key, entries_.begin());
  if (entries_.size() <= kRemembered) return;
  const auto oldest = std::prev(entries_.end());
  const auto [first, last] = by_key_.equal_range(oldest->key);
  for (auto entry = first; entry != last; ++entry) {
    if (entry->second != oldest) continue;
    by_key_.erase(entry);
    break;
  }
  entries_.erase(oldest);
}

}  // namespace qiao::server
