// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/model.h"

namespace qiao::model {

// The body of POST …/chat/completions for a streamed answer. A grammar in GBNF is `unsupported`:
// the protocol has none; json_schema does the same work.
Result<Json> chat_body(const GenerateRequest& request, const std::string& remote_name);
Json embeddings_body(const std::vector<std::string>& texts, const std::string& remote_name);

// Puts an answer together from streamed chunks or from one whole completion object. Text goes to
// `on_text` as it comes. What is not of the protocol's form is `model_failed`. One thread.
class AnswerBuilder {
 public:
  static constexpr std::size_t kTextBytesMax = 4 << 20;
  static constexpr std::size_t kToolCallsMax = 64;

  explicit AnswerBuilder(Model::OnText on_text) : on_text_(std::move(on_text)) {}

  Status add_chunk(const Json& chunk);  // "chat.completion.chunk"
  Status add_whole(const Json& completion);
  // A finish reason has come.
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] bool empty() const { return answer_.text.empty() && calls_.empty(); }
  Generated take();

 private:
  Status add_message(const Json& message);
  Status add_calls(const Json& calls);
  Status finish(const std::string& reason);

  Model::OnText on_text_;
  Generated answer_;
  std::map<std::int64_t, ToolCall> calls_;  // by index
  bool finished_ = false;
};

// `data` of the answer to POST …/embeddings: `count` vectors in order, of one length, brought to
// unit norm.
Result<Embeddings> parse_embeddings(const Json& answer, std::size_t count);

// The message in an error body of OpenAI's form, else the body's beginning.
std::string error_text(std::string_view body);
// True for a 429 that no waiting mends (the account is out of credit).
bool out_of_credit(std::string_view body);

}  // namespace qiao::model
