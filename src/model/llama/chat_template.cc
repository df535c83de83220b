// SPDX-License-Identifier: Apache-2.0
#include "model/llama/chat_template.h"

#include <llama.h>

#include <utility>

#include "model/llama/tool_text.h"

namespace qiao::model {
namespace {

constexpr const char* kFallback = "chatml";
// Stands for the text of turn i while the template is applied, so that the text itself never
// meets the template. Cannot be mistaken: only our own markers are in the rendered text.
std::string marker(std::size_t index) {
  return "\x01" + std::to_string(index) + "\x02";
}

// One message as the template sees it: its role and the text behind its marker.
struct Message {
  std::string role;
  std::string text;
};

std::vector<Message> messages_of(std::span<const ChatTurn> turns, const Json& tools) {
  std::vector<Message> messages;
  const std::string offer = tool_offer(tools);
  if (!offer.empty() && (turns.empty() || turns.front().role != Role::kSystem)) {
    messages.push_back({"system", offer});
  }
  Role before = Role::kSystem;
  for (const auto& turn : turns) {
    if (turn.role == Role::kTool) {
      const auto text = tool_response_text(turn.content);
      if (before == Role::kTool) {
        messages.back().text += "\n" + text;
      } else {
        messages.push_back({"user", text});
      }
    } else {
      messages.push_back({std::string(name_of(turn.role)), turn.content});
      for (const auto& call : turn.tool_calls) {
        auto& text = messages.back().text;
        if (!text.empty()) text += "\n";
        text += tool_call_text(call);
      }
      if (messages.size() == 1 && turn.role == Role::kSystem && !offer.empty()) {
        messages.back().text += "\n\n" + offer;
      }
    }
    before = turn.role;
  }
  return messages;
}

Result<std::string> apply(const std::string& name, const std::vector<Message>& messages,
                          bool assistant) {
  std::vector<std::string> markers;
  std::vector<llama_chat_message> chat;
  if (name == kPlainTemplate) {
    std::string all;
    for (std::size_t i = 0; i < messages.size(); ++i) all += marker(i);
    return all;
  }
  std::size_t bytes = 256;
  for (std::size_t i = 0; i < messages.size(); ++i) markers.push_back(marker(i));
  for (std::size_t i = 0; i < messages.size(); ++i) {
    chat.push_back({messages[i].role.c_str(), markers[i].c_str()});
    bytes += 128;
  }
  try {
    for (int attempt = 0; attempt < 2; ++attempt) {
      std::string out(bytes, '\0');
      const auto size =
          llama_chat_apply_template(name.c_str(), chat.data(), chat.size(), assistant, out.data(),
                                    static_cast<std::int32_t>(out.size()));
      if (size < 0) break;
      if (static_cast<std::size_t>(size) < bytes) {
        out.resize(static_cast<std::size_t>(size));
        return out;
      }
      bytes = static_cast<std::size_t>(size) + 1;
    }
  } catch (const std::exception& e) {
    return invalid_argument(std::string("the model's chat template failed: ") + e.what());
  }
  return invalid_argument("the model's chat template cannot be applied to these turns");
}

}  // namespace

ChatTemplate::ChatTemplate(std::string jinja) : name_(std::move(jinja)) {
  const std::vector<Message> probe = {{"user", "?"}};
  if (!name_.empty() && apply(name_, probe, true)) return;
  name_ = kFallback;
  recognised_ = false;
}

Result<std::vector<PromptPart>> ChatTemplate::render(std::span<const ChatTurn> turns,
                                                     const Json& tools, bool assistant) const {
  auto messages = messages_of(turns, tools);
  QIAO_ASSIGN(const std::string rendered, apply(name_, messages, assistant));
  std::vector<PromptPart> parts;
  std::size_t at = 0;
  while (at < rendered.size()) {
    const auto begin = rendered.find('\x01', at);
    const auto end = begin == std::string::npos ? begin : rendered.find('\x02', begin);
    if (end == std::string::npos) break;
    if (begin > at) parts.push_back({rendered.substr(at, begin - at), true});
    const auto index = std::stoul(rendered.substr(begin + 1, end - begin - 1));
    if (!messages[index].text.empty()) parts.push_back({messages[index].text, false});
    at = end + 1;
  }
  if (at < rendered.size()) parts.push_back({rendered.substr(at), true});
  return parts;
}

}  // namespace qiao::model
