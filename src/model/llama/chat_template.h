// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/model.h"

namespace qiao::model {

// A run of a rendered conversation: markup of the template, which may form control tokens, or
// text that people, tools or models wrote, which never may.
struct PromptPart {
  std::string text;
  bool markup = false;
};

// The chat template of a model that knows no conversations and only goes on with a text: the turns'
// texts, one behind the other.
inline constexpr const char* kPlainTemplate =
    "{% for message in messages %}{{ message['content'] }}{% endfor %}";

// The form in which one model was taught conversations. Takes the Jinja text of a GGUF and uses
// llama.cpp's built-in form that it is recognised as; ChatML when there is none. Tools are
// offered in the form Qwen and Hermes models were taught (<tools>, <tool_call>,
// <tool_response>). Immutable; thread-safe.
class ChatTemplate {
 public:
  explicit ChatTemplate(std::string jinja);

  // `assistant`: end with the head of an assistant's turn, for it to go on.
  // Requires: at least one turn. `tools`: null or OpenAI's list.
  [[nodiscard]] Result<std::vector<PromptPart>> render(std::span<const ChatTurn> turns,
                                                       const Json& tools, bool assistant) const;
  // False when the file's own template was not recognised.
  [[nodiscard]] bool recognised() const { return recognised_; }

 private:
  std::string name_;  // of a built-in form, or the Jinja text
  bool recognised_ = true;
};

}  // namespace qiao::model
