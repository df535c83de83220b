// SPDX-License-Identifier: Apache-2.0
// Twenty questions: the program thinks of a thing, answers yes or no by its attributes, counts.
#include <algorithm>
#include <set>
#include <vector>

#include "base/i18n.h"
#include "base/random.h"
#include "flow/agents/game.h"
#include "flow/config/faults.h"
#include "text/normalise.h"
#include "text/utf8.h"

namespace qiao {
namespace {

constexpr int kQuestionsMax = 20;
constexpr int kHintsMax = 3;
constexpr std::size_t kThingsMax = 10'000;
constexpr std::size_t kPhrasesMax = 64;  // of one attribute or thing, per language

struct Attribute {
  std::string name;
  std::vector<std::string> zh;  // normalised phrases that ask for it
  std::vector<std::string> en;
};

struct Thing {
  std::vector<std::string> zh;  // its names; the first is shown
  std::vector<std::string> en;
  std::set<std::string> is;
};

struct GameState {
  std::string thing;  // English or else Chinese name: stable when the file is reordered
  int questions = 0;
  int hints = 0;
};

Json to_json(const GameState& state) {
  return Json{{"thing", state.thing}, {"questions", state.questions}, {"hints", state.hints}};
}

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '\'';
}

// Whether `phrase` stands in `text` (both normalised): Latin phrases as whole words.
bool contains_phrase(std::string_view text, std::string_view phrase) {
  for (std::size_t at = text.find(phrase); at != text.npos; at = text.find(phrase, at + 1)) {
    const std::size_t end = at + phrase.size();
    const bool left = !is_word_byte(phrase.front()) || at == 0 || !is_word_byte(text[at - 1]);
    bool right = !is_word_byte(phrase.back()) || end == text.size() || !is_word_byte(text[end]);
    // A plural is the same thing: cat, cats.
    if (!right && text[end] == 's') right = end + 1 == text.size() || !is_word_byte(text[end + 1]);
    if (left && right) return true;
  }
  return false;
}

// The longest of `phrases` that stands in `text`.
std::string_view longest_in(std::string_view text, const std::vector<std::string>& phrases) {
  std::string_view best;
  for (const std::string& phrase : phrases) {
    if (phrase.size() > best.size() && contains_phrase(text, phrase)) best = phrase;
  }
  return best;
}

// Whether an English question asks for the opposite of the phrase that follows: "is it not alive",
// "it can't fly". One that begins so ("isn't it alive?") expects the phrase itself.
bool is_negated_en(std::string_view before) {
  for (const std::string_view word : {"not", "never"}) {
    if (contains_phrase(before, word)) return true;
  }
  const std::size_t contracted = before.rfind("n't");
  return contracted != before.npos && before.find(' ') < contracted;
}

// The same in Chinese: 不能吃, 没有腿; but 是不是活的, 能不能吃 and 有没有腿 ask for the phrase
// itself.
bool is_negated_zh(std::string_view text, std::size_t at) {
  constexpr std::size_t kCharacter = 3;  // bytes of each
  constexpr std::size_t kNearest = 3;    // characters before the phrase
  for (std::size_t i = 1; i <= kNearest && i * kCharacter <= at; ++i) {
    const std::size_t place = at - i * kCharacter;
    const std::string_view one = text.substr(place, kCharacter);
    if (one != "不" && one != "没") continue;
    return place < kCharacter || text.substr(place - kCharacter, kCharacter) !=
                                     text.substr(place + kCharacter, kCharacter);
  }
  return false;
}

bool is_negated(std::string_view text, std::string_view phrase) {
  const std::size_t at = text.find(phrase);
  if (at == text.npos) return false;
  return is_word_byte(phrase.front()) ? is_negated_en(text.substr(0, at)) : is_negated_zh(text, at);
}

class TwentyQuestions final : public Game {
 public:
  static Result<std::unique_ptr<Game>> load(const AgentConfig& agent);

  [[nodiscard]] GameMove play(std::string_view text, Language language, const Json& state,
                              std::uint64_t seed) const override;

 private:
  // What a message asks: a thing by name or an attribute; the longer match wins.
  struct Question {
    const Thing* thing = nullptr;
    const Attribute* attribute = nullptr;
    std::string phrase;
    bool negated = false;  // whether the attribute is not there
  };

  void read_attributes(const YamlNode& node, Faults& faults);
  void read_things(const YamlNode& node, Faults& faults);
  [[nodiscard]] const Thing* find(const std::string& name) const;
  [[nodiscard]] Question question_in(std::string_view text) const;

  [[nodiscard]] GameMove begin(Language language, Rng& rng) const;
  [[nodiscard]] GameMove hint(const Thing& thing, GameState state, Language language,
                              Rng& rng) const;
  [[nodiscard]] GameMove answer(const Thing& thing, const Question& question, GameState state,
                                Language language) const;

  std::vector<Attribute> attributes_;
  std::vector<Thing> things_;
};

std::vector<std::string> phrases_of(const YamlNode* node, Faults& faults) {
  std::vector<std::string> phrases = read_texts(node, kPhrasesMax, faults);
  for (std::string& phrase : phrases) phrase = normalise(phrase);
  std::erase(phrases, "");
  return phrases;
}

const std::string& shown(const Thing& thing, Language language) {
  const bool chinese = (language == Language::kChinese && !thing.zh.empty()) || thing.en.empty();
  return chinese ? thing.zh.front() : thing.en.front();
}

const std::string& key_of(const Thing& thing) {
  return shown(thing, Language::kEnglish);
}

void TwentyQuestions::read_attributes(const YamlNode& node, Faults& faults) {
  for (const auto& [name, phrases] : node.entries) {
    if (phrases.kind != YamlNode::Kind::kMap) {
      faults.at(phrases, "an attribute is { zh: [ … ], en: [ … ] }");
      continue;
    }
    YamlReader reader(phrases);
    Attribute attribute{name, phrases_of(reader.get_node("zh"), faults),
                        phrases_of(reader.get_node("en"), faults)};
    faults.take(reader.finish());
    attributes_.push_back(std::move(attribute));
  }
}

void TwentyQuestions::read_things(const YamlNode& node, Faults& faults) {
  std::vector<std::string> known;
  for (const Attribute& attribute : attributes_) known.push_back(attribute.name);
  for (const YamlNode& item : node.items) {
    if (item.kind != YamlNode::Kind::kMap) {
      faults.at(item, "a thing is { name: { zh: […], en: […] }, is: [ … ] }");
      continue;
    }
    YamlReader reader(item);
    Thing thing;
    if (const YamlNode* names = reader.get_node("name");
        names != nullptr && names->kind == YamlNode::Kind::kMap) {
      YamlReader name_reader(*names);
      thing.zh = phrases_of(name_reader.get_node("zh"), faults);
      thing.en = phrases_of(name_reader.get_node("en"), faults);
      faults.take(name_reader.finish());
    }
    for (const std::string& name : reader.get_strings("is").value_or(std::vector<std::string>{})) {
      thing.is.insert(name);
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      const auto near = nearest(name, known);
      faults.at(item, "unknown attribute \"" + name + "\"" +
                          (near ? ", did you mean \"" + *near + "\"?" : ""));
    }
    faults.take(reader.finish());
    if (thing.zh.empty() && thing.en.empty()) faults.at(item, "the thing has no name");
    if (things_.size() < kThingsMax) things_.push_back(std::move(thing));
  }
}

Result<std::unique_ptr<Game>> TwentyQuestions::load(const AgentConfig& agent) {
  QIAO_ASSIGN(const YamlNode root, load_yaml(agent.data));
  auto game = std::make_unique<TwentyQuestions>();
  Faults faults;
  if (root.kind != YamlNode::Kind::kMap) {
    faults.at(root, "the file is a map with `attributes` and `things`");
    return faults.finish().error();
  }
  YamlReader reader(root);
  if (const YamlNode* node = reader.get_node("attributes")) game->read_attributes(*node, faults);
  if (const YamlNode* node = reader.get_node("things")) game->read_things(*node, faults);
  faults.take(reader.finish());
  if (game->things_.empty()) faults.at(root, "there is nothing to think of: `things` is empty");
  QIAO_TRY(faults.finish());
  return std::unique_ptr<Game>(std::move(game));
}

const Thing* TwentyQuestions::find(const std::string& name) const {
  const auto found = std::find_if(things_.begin(), things_.end(),
                                  [&](const Thing& thing) { return key_of(thing) == name; });
  return found == things_.end() ? nullptr : &*found;
}

TwentyQuestions::Question TwentyQuestions::question_in(std::string_view text) const {
  Question question;
  for (const Thing& thing : things_) {
    for (const auto* names : {&thing.zh, &thing.en}) {
      const std::string_view phrase = longest_in(text, *names);
      if (phrase.size() > question.phrase.size())
        question = {&thing, nullptr, std::string(phrase), false};
    }
  }
  for (const Attribute& attribute : attributes_) {
    for (const auto* phrases : {&attribute.zh, &attribute.en}) {
      const std::string_view phrase = longest_in(text, *phrases);
      if (phrase.size() > question.phrase.size()) {
        question = {nullptr, &attribute, std::string(phrase), is_negated(text, phrase)};
      }
    }
  }
  return question;
}

GameMove TwentyQuestions::begin(Language language, Rng& rng) const {
  GameState state;
  state.thing = key_of(things_[rng.below(things_.size())]);
  return {tr(language, Text::kGuessBegin), to_json(state)};
}

GameMove TwentyQuestions::hint(const Thing& thing, GameState state, Language language,
                               Rng& rng) const {
  if (state.hints == kHintsMax || thing.is.empty()) {
    return {tr(language, Text::kGuessNoHints), to_json(state)};
  }
  ++state.hints;
  const std::string& name =
      *std::next(thing.is.begin(), static_cast<std::ptrdiff_t>(rng.below(thing.is.size())));
  const auto attribute = std::find_if(attributes_.begin(), attributes_.end(),
                                      [&](const Attribute& one) { return one.name == name; });
  const auto& phrases = language == Language::kChinese ? attribute->zh : attribute->en;
  return {tr(language, Text::kGuessHint, {phrases.empty() ? name : phrases.front()}),
          to_json(state)};
}

GameMove TwentyQuestions::answer(const Thing& thing, const Question& question, GameState state,
                                 Language language) const {
  if (question.thing == &thing) {
    return {tr(language, Text::kGuessRight,
               {shown(thing, language), std::to_string(state.questions + 1)}),
            nullptr};
  }
  ++state.questions;
  const bool yes = question.attribute != nullptr &&
                   thing.is.contains(question.attribute->name) != question.negated;
  std::string phrase = question.thing ? shown(*question.thing, language) : question.phrase;
  if (question.negated) phrase.insert(0, language == Language::kChinese ? "不：" : "not ");
  const int left = kQuestionsMax - state.questions;
  const std::string verdict = tr(language, yes ? Text::kGuessYes : Text::kGuessNo, {phrase});
  if (left <= 0) {
    return {verdict + " " + tr(language, Text::kGuessSpent, {shown(thing, language)}), nullptr};
  }
  return {verdict + " " + tr(language, Text::kGuessLeft, {std::to_string(left)}), to_json(state)};
}

GameMove TwentyQuestions::play(std::string_view text, Language language, const Json& json,
                               std::uint64_t seed) const {
  Rng rng(seed);
  GameState state;
  state.thing = json_string(json, "thing").value_or("");
  state.questions = static_cast<int>(
      std::clamp<std::int64_t>(json_integer(json, "questions").value_or(0), 0, kQuestionsMax));
  state.hints = static_cast<int>(
      std::clamp<std::int64_t>(json_integer(json, "hints").value_or(0), 0, kHintsMax));
  const Thing* thing = find(state.thing);
  if (thing == nullptr) return begin(language, rng);

  const PlayerWish wish = wish_of(text);
  if (wish == PlayerWish::kHint) return hint(*thing, std::move(state), language, rng);
  if (wish == PlayerWish::kStop) {
    return {tr(language, Text::kGuessStop, {shown(*thing, language)}), nullptr};
  }
  const Question question = question_in(normalise(text));
  if (question.phrase.empty()) return {tr(language, Text::kGuessUnclear), to_json(state)};
  return answer(*thing, question, std::move(state), language);
}

}  // namespace

Result<std::unique_ptr<Game>> make_twenty_questions(const AgentConfig& agent) {
  return TwentyQuestions::load(agent);
}

}  // namespace qiao
