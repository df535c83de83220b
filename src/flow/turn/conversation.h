// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/language.h"
#include "base/result.h"
#include "message/annotations.h"

namespace qiao {

struct RememberedMessage {
  std::string id;
  bool from_user = true;
  std::string text;  // cut to kRememberedBytesMax
};

// The question an agent put to the user: which entity it waits for, and for which route.
struct Asked {
  std::string entity;  // "" = nothing was asked
  std::string route;
  std::string agent;
};

// What a flow remembers of one conversation. A plain value; after every turn it is stored as the
// data of a "conversation" event (all but the messages, which the log has anyway), so that the
// next server can go on from it.
struct Conversation {
  enum class State { kOpen, kPerson, kEnded };

  static constexpr std::size_t kMessagesMax = 32;
  static constexpr std::size_t kRememberedBytesMax = 8 << 10;
  static constexpr std::size_t kEntitiesMax = 32;

  std::string id;
  State state = State::kOpen;
  std::int32_t turns = 0;
  Language language = Language::kEnglish;
  std::int32_t unknown = 0;  // messages in a row that no route was made for
  std::string person;        // subject of who holds it, in state kPerson
  std::string game;          // agent whose game is running, "" = none
  std::string game_route;    // the route that began it
  Json game_state;
  Asked asked;
  std::map<std::string, Entity> entities;  // newest by kind
  std::deque<RememberedMessage> messages;
  std::int64_t last_ms = 0;
  bool parked = false;  // waits for somebody's consent: not idle; known to this process only

  void remember(RememberedMessage message);
  void remember(const std::vector<Entity>& found);
  // A new conversation under the same id: after its end.
  void reset();
};

std::string_view name_of(Conversation::State state);
Json to_json(const Conversation& conversation);
// Unknown or ill-typed fields are left at their defaults: an event of an older version must do.
Conversation conversation_from_json(const std::string& id, const Json& json);

// `text` cut to at most `bytes_max`, at a character's end.
std::string cut_utf8(std::string_view text, std::size_t bytes_max);

// The conversations in memory, at most `conversations_max`: the one unused for longest goes
// first (its events bring it back). A conversation in use is held by its user and never goes.
// Flow loop only.
class ConversationStore {
 public:
  static constexpr std::size_t kConversationsMax = 10'000;

  explicit ConversationStore(std::size_t conversations_max = kConversationsMax)
      : conversations_max_(conversations_max) {}

  // The remembered conversation, or null: then load or begin it and put() it.
  std::shared_ptr<Conversation> find(const std::string& id);
  void put(std::shared_ptr<Conversation> conversation);
  // Open ones untouched since before `ms`, oldest first, that nobody uses.
  std::vector<std::shared_ptr<Conversation>> idle_since(std::int64_t ms) const;
  [[nodiscard]] std::size_t size() const { return by_id_.size(); }

 private:
  using Order = std::list<std::shared_ptr<Conversation>>;  // least recently used first

  std::size_t conversations_max_;
  Order order_;
  std::map<std::string, Order::iterator> by_id_;
};

}  // namespace qiao
