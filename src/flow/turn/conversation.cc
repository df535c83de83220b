// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/conversation.h"

#include <algorithm>
#include <set>

namespace qiao {
namespace {

Json to_json(const Entity& entity) {
  return Json{{"kind", entity.kind}, {"text", entity.text}, {"value", entity.value}};
}

Entity entity_from_json(const Json& json) {
  Entity entity;
  entity.kind = json_string(json, "kind").value_or("");
  entity.text = json_string(json, "text").value_or("");
  entity.value = json_string(json, "value").value_or("");
  return entity;
}

Conversation::State parse_state(std::string_view name) {
  if (name == "person") return Conversation::State::kPerson;
  if (name == "ended") return Conversation::State::kEnded;
  return Conversation::State::kOpen;
}

// The member `key` when it is of the wanted kind, else null.
const Json* member(const Json& json, const char* key, Json::value_t kind) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(key);
  return found != json.end() && found->type() == kind ? &*found : nullptr;
}

}  // namespace

std::string cut_utf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end));
}

std::string_view name_of(Conversation::State state) {
  switch (state) {
    case Conversation::State::kOpen:
      return "open";
    case Conversation::State::kPerson:
      return "person";
    case Conversation::State::kEnded:
      return "ended";
  }
  return "open";
}

void Conversation::remember(RememberedMessage message) {
  message.text = cut_utf8(message.text, kRememberedBytesMax);
  messages.push_back(std::move(message));
  if (messages.size() > kMessagesMax) messages.pop_front();
}

void Conversation::remember(const std::vector<Entity>& found) {
  std::set<std::string_view> kinds;
  for (const Entity& entity : found) {
    if (!kinds.insert(entity.kind).second) continue;  // of several, the one said first
    if (entities.contains(entity.kind) || entities.size() < kEntitiesMax) {
      entities[entity.kind] = entity;
    }
  }
}

void Conversation::reset() {
  Conversation fresh;
  fresh.id = id;
  fresh.language = language;
  *this = std::move(fresh);
}

Json to_json(const Conversation& conversation) {
  Json json{{"state", name_of(conversation.state)},
            {"turn", conversation.turns},
            {"language", conversation.language == Language::kChinese ? "zh" : "en"},
            {"unknown", conversation.unknown}};
  if (!conversation.person.empty()) json["person"] = conversation.person;
  if (!conversation.game.empty()) {
    json["game"] = conversation.game;
    json["game_route"] = conversation.game_route;
    json["game_state"] = conversation.game_state;
  }
  if (!conversation.asked.entity.empty()) {
    json["asked"] = {{"entity", conversation.asked.entity},
                     {"route", conversation.asked.route},
                     {"agent", conversation.asked.agent}};
  }
  json["entities"] = Json::array();
  for (const auto& [kind, entity] : conversation.entities) {
    json["entities"].push_back(to_json(entity));
  }
  return json;
}

Conversation conversation_from_json(const std::string& id, const Json& json) {
  Conversation conversation;
  conversation.id = id;
  conversation.state = parse_state(json_string(json, "state").value_or("open"));
  conversation.turns = static_cast<std::int32_t>(
      std::clamp<std::int64_t>(json_integer(json, "turn").value_or(0), 0, 1'000'000));
  conversation.unknown = static_cast<std::int32_t>(
      std::clamp<std::int64_t>(json_integer(json, "unknown").value_or(0), 0, 1'000'000));
  conversation.language = json_string(json, "language").value_or("en") == "zh" ? Language::kChinese
                                                                               : Language::kEnglish;
  conversation.person = json_string(json, "person").value_or("");
  conversation.game = json_string(json, "game").value_or("");
  conversation.game_route = json_string(json, "game_route").value_or("");
  if (const Json* state = member(json, "game_state", Json::value_t::object)) {
    conversation.game_state = *state;
  }
  if (const Json* asked = member(json, "asked", Json::value_t::object)) {
    conversation.asked = {json_string(*asked, "entity").value_or(""),
                          json_string(*asked, "route").value_or(""),
                          json_string(*asked, "agent").value_or("")};
  }
  if (const Json* entities = member(json, "entities", Json::value_t::array)) {
    std::vector<Entity> found;
    for (const Json& entity : *entities) found.push_back(entity_from_json(entity));
    conversation.remember(found);
  }
  return conversation;
}

std::shared_ptr<Conversation> ConversationStore::find(const std::string& id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return nullptr;
  order_.splice(order_.end(), order_, found->second);
  return *found->second;
}

void ConversationStore::put(std::shared_ptr<Conversation> conversation) {
  if (const auto found = by_id_.find(conversation->id); found != by_id_.end()) {
    *found->second = std::move(conversation);
    order_.splice(order_.end(), order_, found->second);
    return;
  }
  const std::string id = conversation->id;
  by_id_[id] = order_.insert(order_.end(), std::move(conversation));
  for (auto oldest = order_.begin();
       by_id_.size() > conversations_max_ && oldest != order_.end();) {
    const bool in_use = oldest->use_count() > 1 || (*oldest)->id == id;
    if (in_use) {
      ++oldest;
      continue;
    }
    by_id_.erase((*oldest)->id);
    oldest = order_.erase(oldest);
  }
}

std::vector<std::shared_ptr<Conversation>> ConversationStore::idle_since(std::int64_t ms) const {
  std::vector<std::shared_ptr<Conversation>> idle;
  for (const auto& conversation : order_) {
    if (conversation->last_ms >= ms) break;
    const bool open = conversation->state != Conversation::State::kEnded;
    if (open && !conversation->parked && conversation->turns > 0 && conversation.use_count() == 1) {
      idle.push_back(conversation);
    }
  }
  return idle;
}

}  // namespace qiao
