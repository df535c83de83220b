// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/language.h"
#include "flow/config/flow_config.h"

namespace qiao {

// What a game says to a message, and how it stands afterwards.
struct GameMove {
  std::string say;
  Json state;  // null: the game is over
};

// The rules of one game, kept by code. Immutable: all that changes is in `state`, which the
// conversation remembers (a state that makes no sense begins a new game). The same message,
// state and seed always give the same move. Thread-safe.
class Game {
 public:
  Game() = default;
  Game(const Game&) = delete;
  Game& operator=(const Game&) = delete;
  virtual ~Game() = default;

  // `state` null: begins a game.
  [[nodiscard]] virtual GameMove play(std::string_view text, Language language, const Json& state,
                                      std::uint64_t seed) const = 0;
};

// Reads agent.data (blocks, at start only). Errors name file and line.
Result<std::unique_ptr<Game>> make_idiom_chain(const AgentConfig& agent);
Result<std::unique_ptr<Game>> make_twenty_questions(const AgentConfig& agent);
Result<std::unique_ptr<Game>> make_game(const AgentConfig& agent);

// What a player says besides moves, in either language.
enum class PlayerWish { kNone, kStop, kHint, kPass };
PlayerWish wish_of(std::string_view text);

}  // namespace qiao
