// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/model.h"
#include "server/api/answer.h"

namespace qiao::server {

// One answer in OpenAI's form: a chat.completion, or a stream of chat.completion.chunk ended by
// [DONE]. In a stream, text that turned out void cannot be taken back: a chunk with
// "qiao":{"reset":true} says so, and a blank line parts it from what follows. Thread-safe; after
// finish() or fail() everything is without effect.
class ChatAnswer {
 public:
  struct Form {
    std::string id;  // without "chatcmpl-"
    std::string model;
    std::int64_t created_s = 0;
    bool stream = false;
    bool include_usage = false;
    HttpHeaders headers;
  };
  struct End {
    std::vector<ToolCall> tool_calls;
    Finish finish = Finish::kStop;
    Usage usage;
    Json extra;  // goes under "qiao", unless null
  };

  ChatAnswer(Writer writer, Form form) : writer_(std::move(writer)), form_(std::move(form)) {}

  // Sends the head of a stream before there is text.
  void open();
  // The peer's slowness or leaving ends the answer: `overloaded`, `cancelled`.
  Status text(std::string_view piece);
  void reset(std::string_view reason);
  void finish(const End& end);
  void fail(const Error& error);
  // What a client has put together from what it was sent.
  [[nodiscard]] std::string shown() const;

 private:
  void open_locked();
  Status send(Json delta, const Json& finish_reason, const Json& extra);
  void send_whole(const End& end);
  void send_end(const End& end);

  mutable std::mutex mutex_;
  const Writer writer_;
  const Form form_;
  std::string text_;
  bool open_ = false;
  bool over_ = false;
};

Json usage_json(const Usage& usage);

}  // namespace qiao::server
