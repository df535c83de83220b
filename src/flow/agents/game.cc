// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/game.h"

#include <algorithm>
#include <initializer_list>

#include "text/normalise.h"

namespace qiao {
namespace {

bool any_in(std::string_view text, std::initializer_list<std::string_view> phrases) {
  return std::any_of(phrases.begin(), phrases.end(), [&](std::string_view phrase) {
    return text.find(phrase) != std::string_view::npos;
  });
}

}  // namespace

PlayerWish wish_of(std::string_view text) {
  const std::string key = match_key(text);  // without case, blanks and punctuation
  if (any_in(key, {"不玩", "认输", "我输了", "结束游戏", "退出", "不想玩", "到此为止", "放弃",
                   "投降", "不猜了", "giveup", "quit", "stopplaying", "stopthegame", "endthegame",
                   "iresign", "nomore"}) ||
      key == "stop" || key == "结束" || key == "算了") {
    return PlayerWish::kStop;
  }
  if (any_in(key, {"提示", "hint", "clue"})) return PlayerWish::kHint;
  if (any_in(key, {"不会", "不知道", "想不出", "接不上", "跳过", "dontknow", "noidea", "skip"}) ||
      key == "pass" || key == "过") {
    return PlayerWish::kPass;
  }
  return PlayerWish::kNone;
}

Result<std::unique_ptr<Game>> make_game(const AgentConfig& agent) {
  return agent.game == "idiom-chain" ? make_idiom_chain(agent) : make_twenty_questions(agent);
}

}  // namespace qiao
