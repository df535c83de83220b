// SPDX-License-Identifier: Apache-2.0
// 成语接龙: each idiom begins with the last character of the one before (or, with `homophones`,
// with one of the same sound), none is used twice, all are in the list.
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/disk.h"
#include "base/i18n.h"
#include "base/random.h"
#include "flow/agents/game.h"
#include "flow/turn/conversation.h"
#include "message/message.h"
#include "text/utf8.h"

namespace qiao {
namespace {

constexpr std::size_t kIdiomsMax = 100'000;
constexpr std::size_t kIdiomCharactersMax = 16;
constexpr int kHintsMax = 3;
constexpr int kRoundsMax = 60;  // idioms of one game, both sides: bounds the remembered state

struct Idiom {
  std::string text;
  std::string first;  // its first and last character, or their sounds when the list has them
  std::string last;
  std::string first_sound;
  std::string last_sound;
};

std::vector<std::string> characters_of(std::string_view text) {
  std::vector<std::string> characters;
  for (std::size_t at = 0; at < text.size();) {
    std::string character;
    append_utf8(character, next_code_point(text, at));
    characters.push_back(std::move(character));
  }
  return characters;
}

// Only the Han characters: what is left of "那我接：意气风发！" without marks and blanks.
std::string han_of(std::string_view text) {
  std::string han;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = next_code_point(text, at);
    if (class_of(code) == CharClass::kHan) append_utf8(han, code);
  }
  return han;
}

struct GameState {
  std::vector<std::string> used;
  std::string last;  // idiom to answer
  int score = 0;
  int hints = 0;
};

Json to_json(const GameState& state) {
  return Json{
      {"used", state.used}, {"last", state.last}, {"score", state.score}, {"hints", state.hints}};
}

class IdiomChain final : public Game {
 public:
  static Result<std::unique_ptr<Game>> load(const AgentConfig& agent);

  [[nodiscard]] GameMove play(std::string_view text, Language language, const Json& state,
                              std::uint64_t seed) const override;

 private:
  explicit IdiomChain(bool homophones) : homophones_(homophones) {}
  Status add_line(std::string_view line, const std::string& where);
  [[nodiscard]] const Idiom* find(const std::string& text) const;
  [[nodiscard]] const Idiom* named_in(std::string_view text) const;
  [[nodiscard]] bool follows(const Idiom& last, const Idiom& next) const;
  // An unused idiom after `last`; one that can be answered where there is one. Null: none.
  [[nodiscard]] const Idiom* answer(const Idiom& last, const GameState& state, Rng& rng) const;
  [[nodiscard]] bool has_answer(const Idiom& last, const GameState& state) const;
  [[nodiscard]] GameState parse(const Json& json) const;

  [[nodiscard]] GameMove begin(std::string_view text, Language language, Rng& rng) const;
  [[nodiscard]] GameMove hint(GameState state, Language language, Rng& rng) const;
  [[nodiscard]] GameMove pass(GameState state, Language language, Rng& rng) const;
  [[nodiscard]] GameMove take(const Idiom& move, GameState state, Language language,
                              Rng& rng) const;
  [[nodiscard]] GameMove refuse(std::string_view text, const Idiom* move, const GameState& state,
                                Language language) const;
  [[nodiscard]] GameMove over(Text text, const GameState& state, Language language,
                              std::string_view idiom = {}) const;

  const bool homophones_;
  std::vector<Idiom> idioms_;
  std::map<std::string, std::size_t> by_text_;
  std::map<std::string, std::vector<std::size_t>> by_first_;  // character or sound
};

Result<std::unique_ptr<Game>> IdiomChain::load(const AgentConfig& agent) {
  QIAO_ASSIGN(const std::string text, read_file(agent.data));
  if (!valid_utf8(text)) return invalid_argument(agent.data + ": the list is not UTF-8 text");
  std::unique_ptr<IdiomChain> game(new IdiomChain(agent.homophones));
  int number = 0;
  for (std::size_t begin = 0; begin < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string where = agent.data + ":" + std::to_string(number + 1) + ": ";
    QIAO_TRY(game->add_line(std::string_view(text).substr(begin, end - begin), where));
    begin = end + 1;
  }
  if (game->idioms_.empty()) return invalid_argument(agent.data + ": the list has no idioms");
  return std::unique_ptr<Game>(std::move(game));
}

// "一心一意" or "一心一意 yi xin yi yi"; # begins a comment.
Status IdiomChain::add_line(std::string_view line, const std::string& where) {
  std::vector<std::string> words;
  line = line.substr(0, std::min(line.find('#'), line.size()));
  for (std::size_t begin = 0; begin < line.size();) {
    const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
    if (end > begin) words.emplace_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  if (words.empty()) return {};
  const std::vector<std::string> characters = characters_of(words[0]);
  if (han_of(words[0]) != words[0] || characters.size() < 3 ||
      characters.size() > kIdiomCharactersMax) {
    return invalid_argument(where + "\"" + words[0] + "\" is not an idiom of 3 to 16 characters");
  }
  if (homophones_ && words.size() != characters.size() + 1) {
    return invalid_argument(
        where + "`homophones: true` needs the sound of each character: " + "一心一意 yi xin yi yi");
  }
  if (idioms_.size() == kIdiomsMax) return invalid_argument(where + "the list is too long");
  Idiom idiom{words[0], characters.front(), characters.back(), "", ""};
  if (homophones_) {
    idiom.first_sound = words[1];
    idiom.last_sound = words.back();
  }
  if (!by_text_.emplace(idiom.text, idioms_.size()).second) return {};  // written twice
  by_first_[homophones_ ? idiom.first_sound : idiom.first].push_back(idioms_.size());
  idioms_.push_back(std::move(idiom));
  return {};
}

const Idiom* IdiomChain::find(const std::string& text) const {
  const auto found = by_text_.find(text);
  return found == by_text_.end() ? nullptr : &idioms_[found->second];
}

// The idiom a message plays: the whole of it, or the last one it contains.
const Idiom* IdiomChain::named_in(std::string_view text) const {
  const std::string han = cut_utf8(han_of(text), 200);
  if (const Idiom* whole = find(han)) return whole;
  const std::vector<std::string> characters = characters_of(han);
  const Idiom* found = nullptr;
  for (std::size_t begin = 0; begin + 4 <= characters.size(); ++begin) {
    std::string four;
    for (std::size_t i = begin; i < begin + 4; ++i) four += characters[i];
    if (const Idiom* idiom = find(four)) found = idiom;
  }
  return found;
}

bool IdiomChain::follows(const Idiom& last, const Idiom& next) const {
  return last.last == next.first || (homophones_ && last.last_sound == next.first_sound);
}

const Idiom* IdiomChain::answer(const Idiom& last, const GameState& state, Rng& rng) const {
  const auto found = by_first_.find(homophones_ ? last.last_sound : last.last);
  if (found == by_first_.end()) return nullptr;
  std::vector<const Idiom*> open;  // the player can go on after these
  std::vector<const Idiom*> all;
  for (const std::size_t index : found->second) {
    const Idiom& idiom = idioms_[index];
    if (std::find(state.used.begin(), state.used.end(), idiom.text) != state.used.end()) continue;
    GameState next = state;
    next.used.push_back(idiom.text);
    all.push_back(&idiom);
    if (has_answer(idiom, next)) open.push_back(&idiom);
  }
  const auto& choice = open.empty() ? all : open;
  return choice.empty() ? nullptr : choice[rng.below(choice.size())];
}

bool IdiomChain::has_answer(const Idiom& last, const GameState& state) const {
  const auto found = by_first_.find(homophones_ ? last.last_sound : last.last);
  return found != by_first_.end() &&
         std::any_of(found->second.begin(), found->second.end(), [&](std::size_t index) {
           return std::find(state.used.begin(), state.used.end(), idioms_[index].text) ==
                  state.used.end();
         });
}

GameState IdiomChain::parse(const Json& json) const {
  GameState state;
  state.last = json_string(json, "last").value_or("");
  state.score = static_cast<int>(
      std::clamp<std::int64_t>(json_integer(json, "score").value_or(0), 0, kRoundsMax));
  state.hints = static_cast<int>(
      std::clamp<std::int64_t>(json_integer(json, "hints").value_or(0), 0, kHintsMax));
  const auto used = json.is_object() ? json.find("used") : json.end();
  if (used != json.end() && used->is_array()) {
    for (const Json& idiom : *used) {
      if (idiom.is_string()) state.used.push_back(idiom.get<std::string>());
    }
  }
  return state;
}

GameMove IdiomChain::over(Text text, const GameState& state, Language language,
                          std::string_view idiom) const {
  return {tr(language, text, {std::to_string(state.score), idiom}), nullptr};
}

GameMove IdiomChain::begin(std::string_view text, Language language, Rng& rng) const {
  GameState state;
  if (const Idiom* named = named_in(text)) return take(*named, state, language, rng);
  // A first idiom that can be answered, if a few draws find one.
  const Idiom* first = &idioms_[rng.below(idioms_.size())];
  for (int i = 0; i < 32 && !has_answer(*first, state); ++i) {
    first = &idioms_[rng.below(idioms_.size())];
  }
  state.used.push_back(first->text);
  state.last = first->text;
  return {tr(language, Text::kIdiomBegin, {first->text, first->last}), to_json(state)};
}

GameMove IdiomChain::hint(GameState state, Language language, Rng& rng) const {
  const Idiom* last = find(state.last);
  const Idiom* next = answer(*last, state, rng);
  if (next == nullptr) return over(Text::kIdiomNobody, state, language, last->last);
  if (state.hints == kHintsMax) {
    return {tr(language, Text::kIdiomNoHints, {last->last}), to_json(state)};
  }
  ++state.hints;
  const std::vector<std::string> characters = characters_of(next->text);
  return {tr(language, Text::kIdiomHint, {characters[0] + characters[1]}), to_json(state)};
}

// The program moves for the player, then waits for the next idiom.
GameMove IdiomChain::pass(GameState state, Language language, Rng& rng) const {
  const Idiom* last = find(state.last);
  const Idiom* next = answer(*last, state, rng);
  if (next == nullptr) return over(Text::kIdiomNobody, state, language, last->last);
  state.used.push_back(next->text);
  state.last = next->text;
  if (!has_answer(*next, state)) return over(Text::kIdiomNobody, state, language, next->last);
  return {tr(language, Text::kIdiomPass, {next->text, next->last}), to_json(state)};
}

GameMove IdiomChain::take(const Idiom& move, GameState state, Language language, Rng& rng) const {
  ++state.score;
  state.used.push_back(move.text);
  const Idiom* reply = answer(move, state, rng);
  if (reply == nullptr) return over(Text::kIdiomWon, state, language, move.last);
  state.used.push_back(reply->text);
  state.last = reply->text;
  if (static_cast<int>(state.used.size()) >= kRoundsMax) {
    return over(Text::kIdiomLong, state, language, reply->text);
  }
  if (!has_answer(*reply, state)) return over(Text::kIdiomDeadEnd, state, language, reply->text);
  return {tr(language, Text::kIdiomMove, {reply->text, reply->last}), to_json(state)};
}

GameMove IdiomChain::refuse(std::string_view text, const Idiom* move, const GameState& state,
                            Language language) const {
  const std::string& wanted = find(state.last)->last;
  if (move != nullptr &&
      std::find(state.used.begin(), state.used.end(), move->text) != state.used.end()) {
    return {tr(language, Text::kIdiomUsed, {move->text, wanted}), to_json(state)};
  }
  if (move != nullptr) {
    return {tr(language, Text::kIdiomWrong, {move->text, wanted}), to_json(state)};
  }
  const std::string han = cut_utf8(han_of(text), 36);
  const Text reason = han.size() >= 12 ? Text::kIdiomUnknown : Text::kIdiomWanted;
  return {tr(language, reason, {han, wanted}), to_json(state)};
}

GameMove IdiomChain::play(std::string_view text, Language language, const Json& json,
                          std::uint64_t seed) const {
  Rng rng(seed);
  GameState state = parse(json);
  const Idiom* last = find(state.last);
  if (last == nullptr) return begin(text, language, rng);
  const Idiom* move = named_in(text);
  if (move == nullptr) {
    switch (wish_of(text)) {
      case PlayerWish::kStop:
        return over(Text::kIdiomStop, state, language);
      case PlayerWish::kHint:
        return hint(std::move(state), language, rng);
      case PlayerWish::kPass:
        return pass(std::move(state), language, rng);
      case PlayerWish::kNone:
        break;
    }
  }
  const bool used = move != nullptr &&
                    std::find(state.used.begin(), state.used.end(), move->text) != state.used.end();
  if (move == nullptr || used || !follows(*last, *move)) {
    return refuse(text, move, state, language);
  }
  return take(*move, std::move(state), language, rng);
}

}  // namespace

Result<std::unique_ptr<Game>> make_idiom_chain(const AgentConfig& agent) {
  return IdiomChain::load(agent);
}

}  // namespace qiao
