// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/llama/answer_text.h"
#include "model/llama/chat_template.h"
#include "model/llama/llama_handles.h"
#include "model/llama/llama_sampler.h"
#include "model/model.h"

namespace qiao::model {

inline constexpr std::size_t kTurnsMax = 1000;
inline constexpr std::size_t kStopsMax = 16;
inline constexpr std::size_t kStopBytesMax = 256;
inline constexpr std::int32_t kTokensMax = 1 << 20;
inline constexpr std::size_t kBytesPerTokenMax = 64;  // more on average is no text
inline constexpr std::int64_t kDeadlineMsMax = 24 * 3'600'000;

// Text to tokens and back for one chat model. Immutable; thread-safe. `weights` must outlive it.
class ChatCodec {
 public:
  explicit ChatCodec(const llama_model& weights);

  // What people wrote never becomes a control token, whatever it looks like.
  [[nodiscard]] Result<std::vector<Token>> encode(std::span<const ChatTurn> turns,
                                                  const Json& tools, bool assistant) const;
  [[nodiscard]] const llama_vocab& vocab() const { return *vocab_; }

 private:
  const llama_vocab* vocab_;
  ChatTemplate form_;
};

// A request checked and turned into all that running it needs.
struct LlamaRequest {
  std::vector<Token> prompt;
  std::size_t shared = 0;  // of the first tokens: the turns shared by many requests
  std::int32_t tokens_max = 0;
  std::int64_t deadline_ms = 0;
  std::uint8_t priority = 0;
  Json tools;
  bool must_call = false;  // the answer is one tool call
  TokenSampler sampler;
  AnswerText text;
};

// Errors (invalid_argument) name the field, or the tokens when the conversation is longer than
// `context_tokens`; an answer that would not fit is bounded instead. May be called on any thread.
Result<LlamaRequest> prepare_request(const ChatCodec& codec, std::int32_t context_tokens,
                                     GenerateRequest request);

// The answer's text and tool calls, once it has ended with `finish`; what was held back of the
// text goes to `on_text` (which may be empty).
Result<Generated> finish_request(LlamaRequest& request, Finish finish,
                                 const Model::OnText& on_text);

}  // namespace qiao::model
