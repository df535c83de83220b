// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/context.h"

#include <algorithm>
#include <cmath>

#include "text/language.h"

namespace qiao {
namespace {

constexpr std::int32_t kTurnTokens = 6;  // role markers of one chat turn
constexpr std::size_t kToolTextBytesMax = 4 << 10;

// One candidate for the context: its text, and whether it is still in.
struct Piece {
  ContextPart part;
  std::string text;
  Role role = Role::kUser;  // of history
};

// What a model reads besides the flow's own texts; small models keep to the language they read.
struct Headings {
  std::string_view answer;
  std::string_view rejected;
  std::string_view better;
  std::string_view knowledge;
  std::string_view tool;
  std::string_view figures;
};
constexpr Headings kEnglish{"Answer in English.",    "Your last answer was not accepted: ",
                            ". Write a better one.", "Knowledge:\n",
                            "Tool result of ",       "Figures:\n"};
constexpr Headings kChinese{
    "请用中文回答。", "上一个回答没有通过：", "。请重写。", "资料：\n", "工具结果 ", "数字：\n"};

const Headings& headings(Language language) {
  return language == Language::kChinese ? kChinese : kEnglish;
}

// Whether the conversation went on in another language until now: a model follows that, rather than
// what it was told before.
bool changes_language(const std::vector<Piece>& history, Language language) {
  for (auto piece = history.rbegin(); piece != history.rend(); ++piece) {
    const auto said = piece->role == Role::kUser ? detect_language(piece->text) : std::nullopt;
    if (said) return *said != language;
  }
  return false;
}

// What is told once more beside the question: the language where it changes, and why the last draft
// did not pass.
std::string reminder_of(const AgentTask& task, const std::vector<Piece>& history) {
  const Headings& words = headings(task.language);
  std::string text;
  if (changes_language(history, task.language)) text.append(words.answer) += "\n";
  if (!task.rejection.empty()) {
    text.append(words.rejected).append(task.rejection).append(words.better);
  }
  return text;
}

// A tool's answer in the fewest tokens: flat objects as lines, and of fields written per language
// (status_zh, status_en) only the user's.
std::string tool_text(const Json& result, Language language) {
  if (!result.is_object()) return dump_json(result);
  const std::string_view ours = language == Language::kChinese ? "_zh" : "_en";
  const std::string_view theirs = language == Language::kChinese ? "_en" : "_zh";
  std::string text;
  for (const auto& [key, value] : result.items()) {
    if (std::string_view(key).ends_with(theirs)) continue;
    const bool localized = std::string_view(key).ends_with(ours);
    text += (text.empty() ? "" : "\n") + (localized ? key.substr(0, key.size() - 3) : key) + ": ";
    text += value.is_string() ? value.get<std::string>() : dump_json(value);
  }
  return text;
}

Piece make_piece(std::string kind, std::string source, std::string text,
                 const TokenEstimate& estimate, Role role = Role::kUser) {
  const std::int32_t tokens = estimate.count(text) + kTurnTokens;
  return {{std::move(kind), std::move(source), tokens}, std::move(text), role};
}

std::vector<Piece> history_pieces(const AgentTask& task, const TokenEstimate& estimate) {
  std::vector<Piece> pieces;
  const auto& messages = task.conversation->messages;
  const std::size_t count = std::min(task.agent->history, messages.size());
  for (std::size_t i = messages.size() - count; i < messages.size(); ++i) {
    pieces.push_back(make_piece("history", messages[i].id, messages[i].text, estimate,
                                messages[i].from_user ? Role::kUser : Role::kAssistant));
  }
  return pieces;
}

// An entry stands under its first question, not the one it was found by: its text is then always
// the same, and a model that has read it once need not read it again.
std::string entry_text(const KnowledgeHit& hit, Language language) {
  const KnowledgeEntry& entry = *hit.entry;
  const auto& questions = language == Language::kChinese ? entry.questions_zh : entry.questions_en;
  const std::string& question = questions.empty() ? hit.question : questions.front();
  return "- " + question + "\n  " + entry.answer.in(language);
}

std::vector<Piece> knowledge_pieces(const AgentTask& task, const TokenEstimate& estimate) {
  std::vector<Piece> pieces;
  for (const KnowledgeHit& hit : task.knowledge) {
    const std::string text = entry_text(hit, task.language);
    pieces.push_back(make_piece("knowledge", hit.entry->id, text, estimate));
  }
  return pieces;
}

std::vector<Piece> tool_pieces(const AgentTask& task, const TokenEstimate& estimate) {
  std::vector<Piece> pieces;
  for (const ToolOutcome& outcome : task.tools) {
    const std::string answer = outcome.error.empty() ? tool_text(outcome.result, task.language)
                                                     : "failed: " + outcome.error;
    pieces.push_back(
        make_piece("tool", outcome.tool, cut_utf8(answer, kToolTextBytesMax), estimate));
  }
  return pieces;
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::int32_t sum(const std::vector<Piece>& pieces) {
  std::int32_t tokens = 0;
  for (const Piece& piece : pieces) tokens += piece.part.tokens;
  return tokens;
}

// `text` cut to about `tokens`, at the end of a sentence or line where there is one.
std::string cut_to_tokens(const std::string& text, std::int32_t tokens,
                          const TokenEstimate& estimate) {
  const double rate = static_cast<double>(std::max(estimate.count(text), 1)) /
                      static_cast<double>(std::max<std::size_t>(text.size(), 1));
  const double bytes = static_cast<double>(std::max(tokens, 1)) / rate;
  std::string cut = cut_utf8(text, static_cast<std::size_t>(bytes));
  std::size_t best = std::string::npos;
  for (const std::string_view mark : {"\n", "。", "！", "？", ". ", "! ", "? "}) {
    const std::size_t at = cut.rfind(mark);
    if (at == std::string::npos) continue;
    const std::size_t end = at + mark.size();
    if (best == std::string::npos || end > best) best = end;
  }
  // A sentence's end in the second half is worth the shorter text.
  if (best != std::string::npos && best > cut.size() / 2) cut.resize(best);
  return cut;
}

std::string join_knowledge(const std::vector<Piece>& knowledge, const Headings& words) {
  std::string text;
  if (!knowledge.empty()) text += words.knowledge;
  for (const Piece& piece : knowledge) text += piece.text + "\n";
  return text;
}

std::string join_findings(const std::vector<Piece>& tools, std::string_view figures,
                          const Headings& words) {
  std::string text;
  for (const Piece& piece : tools) {
    text.append(words.tool).append(piece.part.source).append(":\n").append(piece.text) += "\n";
  }
  if (!figures.empty()) text.append(words.figures).append(figures).append("\n");
  return text;
}

void add_parts(std::vector<ContextPart>& parts, const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces) parts.push_back(piece.part);
}

Json to_json(const std::vector<ContextPart>& parts) {
  Json list = Json::array();
  for (const ContextPart& part : parts) {
    list.push_back({{"kind", part.kind}, {"source", part.source}, {"tokens", part.tokens}});
  }
  return list;
}

}  // namespace

std::int32_t TokenEstimate::count(std::string_view text) const {
  double tokens = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0xE3) {
      tokens += per_wide;  // first byte of a wide character
    } else if (byte < 0x80 || byte >= 0xC0) {
      tokens += byte < 0x80 ? per_other : 2 * per_other;
    }
  }
  return static_cast<std::int32_t>(std::min(std::ceil(tokens), 1e9));
}

TokenEstimate TokenEstimate::measure(Model& model) {
  static constexpr std::string_view kChineseText =
      "您好，您的订单已经发货，预计明天送达。如需退货，请在签收后七天内申请。";
  static constexpr std::string_view kEnglishText =
      "Your order has been shipped and should arrive tomorrow; you may return it within 7 days.";
  TokenEstimate estimate;
  const auto chinese = model.count_tokens(kChineseText);
  const auto english = model.count_tokens(kEnglishText);
  // A tenth more than measured: other texts split worse than these two.
  if (chinese && *chinese > 0) estimate.per_wide = 1.1 * *chinese / (kChineseText.size() / 3.0);
  if (english && *english > 0) {
    estimate.per_other = 1.1 * *english / static_cast<double>(kEnglishText.size());
  }
  return estimate;
}

Context build_context(const AgentTask& task, std::string_view figures,
                      const TokenEstimate& estimate) {
  Context context;
  const AgentConfig& agent = *task.agent;
  const Piece system = make_piece("system", agent.prompt_file.in(task.language),
                                  agent.prompt.in(task.language), estimate);
  const Headings& words = headings(task.language);
  Piece user = make_piece("user", task.message_id, task.text, estimate);
  std::vector<Piece> history = history_pieces(task, estimate);
  const std::string reminder = reminder_of(task, history);
  Piece instruction = make_piece("instruction", "", std::string(words.answer), estimate);
  instruction.part.tokens += estimate.count(reminder) + kTurnTokens;
  std::vector<Piece> knowledge = knowledge_pieces(task, estimate);
  const std::vector<Piece> tools = tool_pieces(task, estimate);
  const std::int32_t figure_tokens = estimate.count(figures);
  std::int32_t exchange_tokens = 0;
  for (const ChatTurn& turn : task.exchange) {
    exchange_tokens += estimate.count(turn.content) + kTurnTokens;
  }

  const std::int32_t fixed =
      system.part.tokens + instruction.part.tokens + sum(tools) + figure_tokens + exchange_tokens;
  const auto over = [&] {
    return fixed + user.part.tokens + sum(history) + sum(knowledge) - agent.context_tokens;
  };
  while (over() > 0 && !history.empty()) {
    context.dropped.push_back(history.front().part);
    history.erase(history.begin());
  }
  while (over() > 0 && !knowledge.empty()) {
    context.dropped.push_back(knowledge.back().part);
    knowledge.pop_back();
  }
  if (over() > 0 && user.part.tokens > kTurnTokens) {
    const std::int32_t room = std::max(agent.context_tokens - fixed - kTurnTokens, 16);
    ContextPart lost = user.part;
    user = make_piece("user", task.message_id, cut_to_tokens(task.text, room, estimate), estimate);
    lost.tokens -= user.part.tokens;
    if (user.text.size() < task.text.size()) {
      context.input_read = count_characters(user.text);
      context.dropped.push_back(lost);
    }
  }

  const std::string known = join_knowledge(knowledge, words);
  const std::string found = join_findings(tools, figures, words);
  context.given = known + found;
  if (!system.text.empty()) context.turns.push_back({Role::kSystem, system.text, {}, {}});
  context.turns.push_back({Role::kSystem, known + instruction.text, {}, {}});
  context.shared_turns = context.turns.size();
  for (const Piece& piece : history) context.turns.push_back({piece.role, piece.text, {}, {}});
  if (const std::string latest = found + reminder; !latest.empty()) {
    context.turns.push_back({Role::kSystem, latest, {}, {}});
  }
  context.turns.push_back({Role::kUser, user.text, {}, {}});
  context.turns.insert(context.turns.end(), task.exchange.begin(), task.exchange.end());

  context.parts.push_back(system.part);
  add_parts(context.parts, history);
  add_parts(context.parts, knowledge);
  add_parts(context.parts, tools);
  if (!figures.empty()) context.parts.push_back({"figures", "", figure_tokens});
  context.parts.push_back(instruction.part);
  context.parts.push_back(user.part);
  context.tokens = fixed + user.part.tokens + sum(history) + sum(knowledge);
  return context;
}

Json to_json(const Context& context) {
  return Json{{"tokens", context.tokens},
              {"input_read", context.input_read},
              {"parts", to_json(context.parts)},
              {"dropped", to_json(context.dropped)}};
}

}  // namespace qiao
