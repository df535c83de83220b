// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/game.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"

namespace qiao {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;

// Plays one game of a data file move by move, in one language.
class Player {
 public:
  Player(const std::string& game, const std::string& data, Language language,
         bool homophones = false)
      : language_(language) {
    folder_.write("data", data);
    AgentConfig agent;
    agent.game = game;
    agent.data = folder_.path() + "/data";
    agent.homophones = homophones;
    auto made = make_game(agent);
    if (made) game_ = std::move(*made);
    if (!made) error = made.error().message;
  }
  std::string say(std::string_view text) {
    GameMove move = game_->play(text, language_, state, seed);
    state = std::move(move.state);
    return move.say;
  }
  [[nodiscard]] bool over() const { return state.is_null(); }

  std::string error;
  Json state;
  std::uint64_t seed = 1;

 private:
  TempFolder folder_;
  Language language_;
  std::unique_ptr<Game> game_;
};

constexpr const char* kIdioms = "# 词表\n一心一意\n意气风发\n发扬光大\n大公无私\n意味深长\n";

TEST(IdiomChain, BeginsByItself) {
  Player player("idiom-chain", kIdioms, Language::kChinese);
  ASSERT_EQ(player.error, "");
  EXPECT_THAT(player.say("我们玩成语接龙吧"), HasSubstr("成语接龙开始"));
  EXPECT_FALSE(player.over());
}

TEST(IdiomChain, AnswersWithTheLastCharacter) {
  Player player("idiom-chain", kIdioms, Language::kChinese);
  const std::string reply = player.say("我先来：一心一意！");
  // Of 意气风发 and 意味深长 only the first can be answered.
  EXPECT_THAT(reply, HasSubstr("意气风发"));
  EXPECT_THAT(player.say("发扬光大"), HasSubstr("大公无私"));
  EXPECT_TRUE(player.over());  // nothing follows 私
}

TEST(IdiomChain, RefusesWhatBreaksTheRules) {
  Player player("idiom-chain", kIdioms, Language::kChinese);
  player.say("一心一意");  // 意气风发
  EXPECT_THAT(player.say("大公无私"), HasSubstr("要用“发”开头"));
  EXPECT_THAT(player.say("一心一意"), HasSubstr("已经用过"));
  EXPECT_THAT(player.say("发了大财"), HasSubstr("没有“发了大财”"));
  EXPECT_THAT(player.say("嗯"), HasSubstr("“发”开头"));
  EXPECT_THAT(player.say(""), HasSubstr("“发”开头"));
  EXPECT_FALSE(player.over());
}

TEST(IdiomChain, HintsPassAndStop) {
  Player player("idiom-chain", kIdioms, Language::kChinese);
  player.say("一心一意");
  for (int i = 0; i < 3; ++i) EXPECT_THAT(player.say("提示"), HasSubstr("发扬"));
  EXPECT_THAT(player.say("提示"), HasSubstr("没有提示了"));
  EXPECT_THAT(player.say("我不会"), HasSubstr("发扬光大"));
  EXPECT_THAT(player.say("不玩了"), HasSubstr("1 个成语"));
  EXPECT_TRUE(player.over());
}

TEST(IdiomChain, HomophonesNeedSounds) {
  EXPECT_THAT(Player("idiom-chain", kIdioms, Language::kChinese, true).error,
              HasSubstr("data:2: `homophones: true`"));
  Player player("idiom-chain",
                "画龙点睛 hua long dian jing\n惊天动地 jing tian dong di\n地大物博 di da wu bo\n",
                Language::kChinese, true);
  ASSERT_EQ(player.error, "");
  EXPECT_THAT(player.say("画龙点睛"), HasSubstr("惊天动地"));
}

TEST(IdiomChain, BadListsAreNamedByLine) {
  EXPECT_THAT(Player("idiom-chain", "一心一意\nhello\n", Language::kChinese).error,
              HasSubstr("data:2"));
  EXPECT_THAT(Player("idiom-chain", "# nothing\n", Language::kChinese).error,
              HasSubstr("no idioms"));
}

TEST(IdiomChain, AStateThatMakesNoSenseBeginsAnew) {
  for (const char* state : {"7", "[]", R"({"last":"没有","used":"x"})", R"({"used":[1,2]})"}) {
    Player player("idiom-chain", kIdioms, Language::kChinese);
    player.state = parse_json(state).value();
    EXPECT_THAT(player.say("来"), HasSubstr("成语接龙开始")) << state;
  }
}

constexpr const char* kThings = R"(attributes:
  alive: { zh: [ 活的 ], en: [ alive ] }
  edible: { zh: [ 能吃 ], en: [ eat ] }
things:
  - { name: { zh: [ 猫 ], en: [ cat ] }, is: [ alive ] }
)";

TEST(TwentyQuestions, AnswersByAttribute) {
  Player player("twenty-questions", kThings, Language::kEnglish);
  ASSERT_EQ(player.error, "");
  EXPECT_THAT(player.say("let us play"), HasSubstr("yes-or-no"));
  EXPECT_THAT(player.say("Is it ALIVE?"), HasSubstr("Yes (alive). 19 questions left"));
  EXPECT_THAT(player.say("can I eat it"), HasSubstr("No (eat). 18"));
  EXPECT_THAT(player.say("why is the sky blue"), HasSubstr("does not count"));
  EXPECT_THAT(player.say("is it a cat"), HasSubstr("cat"));
  EXPECT_TRUE(player.over());
}

TEST(TwentyQuestions, InChinese) {
  Player player("twenty-questions", kThings, Language::kChinese);
  player.say("二十问");
  EXPECT_THAT(player.say("它是活的吗？"), HasSubstr("是的（活的）"));
  EXPECT_THAT(player.say("是猫吗"), HasSubstr("对了"));
}

TEST(TwentyQuestions, AskedWhetherNotItAnswersThat) {
  Player player("twenty-questions", kThings, Language::kEnglish);
  player.say("play");
  EXPECT_THAT(player.say("is it NOT alive?"), HasSubstr("No (not alive)"));
  EXPECT_THAT(player.say("you can't eat it, right?"), HasSubstr("Yes (not eat)"));
  EXPECT_THAT(player.say("isn't it alive?"), HasSubstr("Yes (alive)"));
  EXPECT_THAT(player.say("is it alive or not?"), HasSubstr("Yes (alive)"));
}

TEST(TwentyQuestions, AskedWhetherNotInChinese) {
  Player player("twenty-questions", kThings, Language::kChinese);
  player.say("二十问");
  EXPECT_THAT(player.say("它不能吃吗？"), HasSubstr("是的（不：能吃）"));
  EXPECT_THAT(player.say("它不是活的？"), HasSubstr("不是（不：活的）"));
  EXPECT_THAT(player.say("是不是活的？"), HasSubstr("是的（活的）"));
  EXPECT_THAT(player.say("能不能吃？"), HasSubstr("不是（能吃）"));
}

TEST(TwentyQuestions, EndsAfterTwenty) {
  Player player("twenty-questions", kThings, Language::kEnglish);
  player.say("play");
  for (int i = 0; i < 19; ++i) player.say("can you eat it?");
  EXPECT_FALSE(player.over());
  EXPECT_THAT(player.say("can you eat it?"), HasSubstr("It was: cat"));
  EXPECT_TRUE(player.over());
}

TEST(TwentyQuestions, HintAndGiveUp) {
  Player player("twenty-questions", kThings, Language::kEnglish);
  player.say("play");
  EXPECT_THAT(player.say("a hint please"), HasSubstr("alive"));
  EXPECT_THAT(player.say("I give up"), HasSubstr("cat"));
  EXPECT_TRUE(player.over());
}

TEST(TwentyQuestions, FaultsOfTheFileAreTold) {
  const std::string fault =
      Player("twenty-questions",
             "attributes: { alive: { en: [ alive ] } }\nthings:\n"
             "  - { name: { en: [ cat ] }, is: [ alife ] }\n  - { is: [ alive ] }\n",
             Language::kEnglish)
          .error;
  EXPECT_THAT(fault, HasSubstr("data:3"));
  EXPECT_THAT(fault, HasSubstr("did you mean \"alive\""));
  EXPECT_THAT(fault, HasSubstr("the thing has no name"));
}

TEST(Game, TheSameSeedGivesTheSameMove) {
  Player one("idiom-chain", kIdioms, Language::kChinese);
  Player two("idiom-chain", kIdioms, Language::kChinese);
  one.seed = two.seed = 42;
  EXPECT_EQ(one.say("开始"), two.say("开始"));
}

TEST(Game, Wishes) {
  EXPECT_EQ(wish_of("不玩了！"), PlayerWish::kStop);
  EXPECT_EQ(wish_of("I give up."), PlayerWish::kStop);
  EXPECT_EQ(wish_of("我放弃"), PlayerWish::kStop);
  EXPECT_EQ(wish_of("不猜了"), PlayerWish::kStop);
  EXPECT_EQ(wish_of("Hint?"), PlayerWish::kHint);
  EXPECT_EQ(wish_of("我不会"), PlayerWish::kPass);
  EXPECT_EQ(wish_of("pass"), PlayerWish::kPass);
  EXPECT_EQ(wish_of("passenger"), PlayerWish::kNone);
  EXPECT_EQ(wish_of("一心一意"), PlayerWish::kNone);
}

}  // namespace
}  // namespace qiao
