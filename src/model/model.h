// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace qiao {

enum class Role : std::uint8_t { kSystem, kUser, kAssistant, kTool };
std::string_view name_of(Role role);
Result<Role> parse_role(std::string_view name);

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text
};

struct ChatTurn {
  Role role = Role::kUser;
  std::string content;
  std::vector<ToolCall> tool_calls;  // of an assistant turn
  std::string tool_call_id;          // of a tool turn
};

struct Sampling {
  double temperature = 0.7;  // 0: greedy
  double top_p = 0.9;
  double min_p = 0.05;
  std::int32_t top_k = 40;
  double repeat_penalty = 1.05;
  std::uint32_t seed = 0;  // 0: any
};

// Of a request that is served only while the model has no other.
inline constexpr std::uint8_t kIdlePriority = 0;

struct GenerateRequest {
  std::vector<ChatTurn> turns;
  // How many of the first turns are the same for many requests (a flow's prompt and entries): they
  // are decoded once and shared.
  std::size_t shared_turns = 0;
  std::int32_t tokens_max = 512;
  std::vector<std::string> stop;
  Sampling sampling;
  std::string grammar;      // GBNF with a rule `root`, or "" for free text
  Json json_schema;         // null, or a JSON Schema the answer must satisfy (excludes grammar)
  Json tools;               // null, or OpenAI's `tools` list
  std::string tool_choice;  // "": the model decides; "required": it must call one; or a tool's name
  std::int64_t deadline_ms = 60'000;  // from submission; past it the answer ends with kDeadline
  std::uint8_t priority = 4;          // 9 is served first, kIdlePriority when nobody waits
};

struct Usage {
  std::int32_t prompt_tokens = 0;
  std::int32_t cached_tokens = 0;  // of prompt_tokens, not decoded again
  std::int32_t completion_tokens = 0;
};

enum class Finish : std::uint8_t { kStop, kLength, kToolCalls };

struct Generated {
  std::string text;
  std::vector<ToolCall> tool_calls;
  Finish finish = Finish::kStop;
  Usage usage;
  double first_token_ms = 0;
  double total_ms = 0;
};

// Texts to vectors of equal length and unit norm, one each.
using Embeddings = std::vector<std::vector<float>>;

struct ModelInfo {
  std::string name;
  std::string kind;   // "generator" or "encoder"
  std::string where;  // "worker", "in-process", "provider", "scripted"
  std::int32_t context_tokens = 0;
  std::int32_t embedding_size = 0;
  std::int32_t slots = 0;  // conversations decoded side by side
  bool ready = false;
  std::string note;  // why not ready
  std::int64_t resident_bytes = 0;
  std::uint64_t restarts = 0;
};

// A loaded model (or the way to one). The seam: llama.cpp in process, llama.cpp in a worker, a
// provider over HTTP, a script for tests.
//
// Shared by all flows; thread-safe; every call returns at once and its callbacks run on a thread
// of the model's: post to your own loop. At most `requests_max` wait; past that: `overloaded`.
class Model {
 public:
  using OnText = std::function<void(std::string_view piece)>;
  using OnGenerated = std::function<void(Result<Generated>)>;
  using OnEmbedded = std::function<void(Result<Embeddings>)>;
  using RequestId = std::uint64_t;

  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  virtual ~Model() = default;

  [[nodiscard]] virtual ModelInfo info() const = 0;

  // Starts an answer. `on_text` (may be empty) gets whole UTF-8 pieces in order; `on_done` runs
  // once, last. Both may run before generate() returns. Returns 0 when refused (on_done told why).
  virtual RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) = 0;
  // Ends it soon with `cancelled`; harmless when it has ended.
  virtual void cancel(RequestId request) = 0;

  // Encodes texts (an encoder). Longer texts than the model takes are cut at its end.
  virtual void embed(std::vector<std::string> texts, OnEmbedded on_done) = 0;

  // Lists of tokens, with what a text begins and ends with, to what an encoder computes for them:
  // vectors as they are, not of unit norm; with the pooling "none" those of all tokens of a list,
  // one after the other. For heads that were trained on them. A list that is empty, too long or
  // names a token that is not there is `invalid_argument`; not every model can (`unsupported`).
  virtual void encode(std::vector<std::vector<std::int32_t>> tokens, OnEmbedded on_done);

  // Tokens of `text`, exact or (provider) estimated; blocks briefly.
  virtual Result<std::int32_t> count_tokens(std::string_view text) = 0;
};

// Blocking forms for tools, tests and start-up; never call them on a loop.
Result<Generated> generate_and_wait(Model& model, GenerateRequest request);
Result<Embeddings> embed_and_wait(Model& model, std::vector<std::string> texts,
                                  std::int64_t timeout_ms = 60'000);
// Of one list of tokens (Model::encode()).
Result<std::vector<float>> encode_and_wait(Model& model, std::vector<std::int32_t> tokens,
                                           std::int64_t timeout_ms = 60'000);

}  // namespace qiao
