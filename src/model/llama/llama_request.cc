// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_request.h"

#include <algorithm>
#include <utility>

#include "model/llama/grammar.h"
#include "model/llama/tool_text.h"

namespace qiao::model {
namespace {

std::string template_of(const llama_model& weights) {
  const char* text = llama_model_chat_template(&weights, nullptr);
  return text == nullptr ? std::string() : text;
}

Status check(const GenerateRequest& request) {
  if (request.turns.empty()) return invalid_argument("a request needs at least one turn");
  if (request.turns.size() > kTurnsMax) {
    return invalid_argument("more than " + std::to_string(kTurnsMax) + " turns");
  }
  if (request.shared_turns > request.turns.size()) {
    return invalid_argument("shared_turns is larger than the number of turns");
  }
  if (request.tokens_max < 1 || request.tokens_max > kTokensMax) {
    return invalid_argument("tokens_max must be 1 to " + std::to_string(kTokensMax));
  }
  if (request.deadline_ms < 1 || request.deadline_ms > kDeadlineMsMax) {
    return invalid_argument("deadline_ms must be 1 to " + std::to_string(kDeadlineMsMax));
  }
  if (request.stop.size() > kStopsMax) {
    return invalid_argument("more than " + std::to_string(kStopsMax) + " stop strings");
  }
  for (const auto& stop : request.stop) {
    if (stop.empty() || stop.size() > kStopBytesMax) {
      return invalid_argument("a stop string must have 1 to " + std::to_string(kStopBytesMax) +
                              " bytes");
    }
  }
  if (!request.grammar.empty() && !request.json_schema.is_null()) {
    return invalid_argument("grammar and json_schema exclude each other: send one");
  }
  QIAO_TRY(check_tools(request.tools));
  return check_sampling(request.sampling);
}

// Refuses what cannot fit before it is cut into tokens, which takes a while for megabytes.
Status check_bytes(const GenerateRequest& request, std::int32_t context_tokens) {
  std::size_t bytes = 0;
  for (const auto& turn : request.turns) bytes += turn.content.size();
  if (bytes <= static_cast<std::size_t>(context_tokens) * kBytesPerTokenMax) return {};
  return invalid_argument("the conversation has " + std::to_string(bytes) +
                          " bytes, more than the " + std::to_string(context_tokens) +
                          " tokens the model takes can hold: shorten it");
}

bool offers_tools(const Json& tools) {
  return tools.is_array() && !tools.empty();
}

// The grammar that holds the answer, "" for free text.
Result<std::string> grammar_of(const GenerateRequest& request) {
  if (!request.tool_choice.empty()) {
    const std::string only = request.tool_choice == "required" ? "" : request.tool_choice;
    const Json schema =
        offers_tools(request.tools) ? tool_call_schema(request.tools, only) : Json();
    if (schema.is_null() || (schema.contains("anyOf") && schema["anyOf"].empty())) {
      return invalid_argument("tool_choice '" + request.tool_choice + "' is none of the tools");
    }
    return grammar_of_schema(schema);
  }
  if (!request.json_schema.is_null()) return grammar_of_schema(request.json_schema);
  QIAO_TRY(request.grammar.empty() ? Status() : check_grammar(request.grammar));
  return request.grammar;
}

std::size_t common_beginning(const std::vector<Token>& a, const std::vector<Token>& b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

}  // namespace

ChatCodec::ChatCodec(const llama_model& weights)
    : vocab_(llama_model_get_vocab(&weights)), form_(template_of(weights)) {}

Result<std::vector<Token>> ChatCodec::encode(std::span<const ChatTurn> turns, const Json& tools,
                                             bool assistant) const {
  QIAO_ASSIGN(const auto parts, form_.render(turns, tools, assistant));
  std::vector<Token> tokens;
  if (llama_vocab_get_add_bos(vocab_)) tokens.push_back(llama_vocab_bos(vocab_));
  for (const auto& part : parts) {
    QIAO_ASSIGN(const auto some, tokenise(*vocab_, part.text, part.markup));
    tokens.insert(tokens.end(), some.begin(), some.end());
  }
  // Some templates write the first token themselves.
  if (tokens.size() > 1 && tokens[0] == tokens[1] && tokens[0] == llama_vocab_bos(vocab_)) {
    tokens.erase(tokens.begin());
  }
  return tokens;
}

Result<LlamaRequest> prepare_request(const ChatCodec& codec, std::int32_t context_tokens,
                                     GenerateRequest request) {
  QIAO_TRY(check(request));
  QIAO_TRY(check_bytes(request, context_tokens));
  QIAO_ASSIGN(auto prompt, codec.encode(request.turns, request.tools, true));
  const auto size = static_cast<std::int64_t>(prompt.size());
  if (size == 0) return invalid_argument("the conversation has no text");
  if (size >= context_tokens) {
    return invalid_argument("the conversation has " + std::to_string(size) +
                            " tokens, the model takes " + std::to_string(context_tokens) +
                            " with the answer: shorten it");
  }
  std::size_t shared = 0;
  if (request.shared_turns > 0) {
    const auto turns = std::span(request.turns).first(request.shared_turns);
    QIAO_ASSIGN(const auto beginning, codec.encode(turns, request.tools, false));
    shared = common_beginning(beginning, prompt);
  }
  QIAO_ASSIGN(const auto gbnf, grammar_of(request));
  QIAO_ASSIGN(auto sampler, TokenSampler::make(codec.vocab(), request.sampling, gbnf));
  const bool must_call = !request.tool_choice.empty();
  const bool offers = offers_tools(request.tools);
  const bool held = !request.grammar.empty() || !request.json_schema.is_null();
  AnswerText text(std::move(request.stop), offers ? std::string(kToolCallOpen) : std::string(),
                  offers && (must_call || !held));
  const auto room = static_cast<std::int32_t>(context_tokens - size);
  return LlamaRequest{std::move(prompt),
                      shared,
                      std::min(request.tokens_max, room),
                      request.deadline_ms,
                      request.priority,
                      std::move(request.tools),
                      must_call,
                      std::move(sampler),
                      std::move(text)};
}

Result<Generated> finish_request(LlamaRequest& request, Finish finish,
                                 const Model::OnText& on_text) {
  const auto show = [&](const std::string& text) {
    if (!text.empty() && on_text) on_text(text);
  };
  show(request.text.finish());
  Generated generated;
  generated.text = request.text.text();
  generated.finish = finish;
  const auto& hidden = request.text.hidden();
  if (hidden.empty()) return generated;
  const bool marked = request.must_call || hidden.starts_with(kToolCallOpen);
  if (marked && finish == Finish::kLength) {
    return Error{Code::kModelFailed, "the model's tool call was cut off by tokens_max"};
  }
  auto calls = parse_tool_calls(hidden, request.tools);
  if (calls) {
    generated.tool_calls = std::move(*calls);
    generated.finish = Finish::kToolCalls;
  } else if (marked) {
    return std::move(calls.error());
  } else {  // a JSON object, and no call after all
    show(hidden);
    generated.text += hidden;
  }
  return generated;
}

}  // namespace qiao::model
