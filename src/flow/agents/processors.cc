// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/game.h"
#include "flow/agents/model_agent.h"
#include "flow/agents/table_agent.h"

namespace qiao {
namespace {

// The dice of a turn: the same message always gets the same move.
std::uint64_t seed_of(std::string_view message_id) {
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const char c : message_id) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return hash;
}

// Plays a game; a state of another game in the conversation is not looked at.
class GameAgent final : public Processor {
 public:
  GameAgent(const AgentConfig& agent, std::unique_ptr<Game> game)
      : agent_(agent), game_(std::move(game)) {}

  Cancel process(std::shared_ptr<const AgentTask> task, OnText, OnDraft on_draft) override {
    const Conversation& conversation = *task->conversation;
    const Json state = conversation.game == agent_.name ? conversation.game_state : Json();
    GameMove move = game_->play(task->text, task->language, state, seed_of(task->message_id));
    Draft draft;
    draft.text = std::move(move.say);
    draft.game_state = std::move(move.state);
    on_draft(std::move(draft));
    return {};
  }
  [[nodiscard]] std::optional<std::string> plain(const AgentTask&) const override { return {}; }

 private:
  const AgentConfig& agent_;
  const std::unique_ptr<Game> game_;
};

}  // namespace

Result<std::unique_ptr<Processor>> make_processor(const FlowConfig&, const AgentConfig& agent,
                                                  std::shared_ptr<Model> model, ToolBox& tools) {
  switch (agent.kind) {
    case AgentKind::kTemplate:
      return std::make_unique<TemplateAgent>(agent);
    case AgentKind::kKnowledge:
      return std::make_unique<KnowledgeAgent>(agent);
    case AgentKind::kTable:
      return std::make_unique<TableAgent>(agent, std::move(model));
    case AgentKind::kGame: {
      QIAO_ASSIGN(auto game, make_game(agent));
      return std::make_unique<GameAgent>(agent, std::move(game));
    }
    case AgentKind::kModel:
      break;
  }
  if (agent.tool_choice != ToolChoice::kModel) {
    return std::make_unique<ModelAgent>(agent, std::move(model), Json(), Json());
  }
  return std::make_unique<ModelAgent>(agent, std::move(model),
                                      tools.openai_tools(agent.tools, Language::kChinese),
                                      tools.openai_tools(agent.tools, Language::kEnglish));
}

}  // namespace qiao
