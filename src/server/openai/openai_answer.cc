// SPDX-License-Identifier: Apache-2.0
#include "server/openai/openai_answer.h"

#include "server/api/sse.h"

namespace qiao::server {
namespace {

constexpr const char* kParting = "\n\n";  // between void text and what follows, in a stream

const char* name_of(Finish finish) {
  switch (finish) {
    case Finish::kStop:
      return "stop";
    case Finish::kLength:
      return "length";
    case Finish::kToolCalls:
      return "tool_calls";
  }
  return "stop";
}

// With its place in the list, as the chunks of a stream need it.
Json tool_calls_json(const std::vector<ToolCall>& calls, bool with_index) {
  Json list = Json::array();
  for (const ToolCall& call : calls) {
    Json item;
    if (with_index) item["index"] = list.size();
    item["id"] = call.id;
    item["type"] = "function";
    item["function"] = {{"name", call.name}, {"arguments", call.arguments}};
    list.push_back(std::move(item));
  }
  return list;
}

std::string data_line(const Json& json) {
  return "data: " + dump_json(json) + "\n\n";
}

}  // namespace

Json usage_json(const Usage& usage) {
  return Json{{"prompt_tokens", usage.prompt_tokens},
              {"completion_tokens", usage.completion_tokens},
              {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
              {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

void ChatAnswer::open() {
  std::lock_guard lock(mutex_);
  open_locked();
}

void ChatAnswer::open_locked() {
  if (over_ || open_ || !form_.stream) return;
  open_ = true;
  begin_sse(*writer_, form_.headers);
  (void)send(Json{{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
}

Status ChatAnswer::send(Json delta, const Json& finish_reason, const Json& extra) {
  Json choice{{"index", 0}, {"delta", std::move(delta)}, {"logprobs", nullptr}};
  choice["finish_reason"] = finish_reason;
  Json chunk;
  chunk["id"] = "chatcmpl-" + form_.id;
  chunk["object"] = "chat.completion.chunk";
  chunk["created"] = form_.created_s;
  chunk["model"] = form_.model;
  chunk["choices"] = Json::array({std::move(choice)});
  if (form_.include_usage) chunk["usage"] = nullptr;
  if (!extra.is_null()) chunk["qiao"] = extra;
  return writer_->write(data_line(chunk));
}

Status ChatAnswer::text(std::string_view piece) {
  std::lock_guard lock(mutex_);
  if (over_) return Error{Code::kCancelled, "the answer is over"};
  text_ += piece;
  if (!form_.stream) return {};
  open_locked();
  return send(Json{{"content", piece}}, nullptr, nullptr);
}

void ChatAnswer::reset(std::string_view reason) {
  std::lock_guard lock(mutex_);
  if (over_ || text_.empty()) return;
  if (!form_.stream) {
    text_.clear();
    return;
  }
  text_ += kParting;
  (void)send(Json{{"content", kParting}}, nullptr, Json{{"reset", true}, {"reason", reason}});
}

void ChatAnswer::finish(const End& end) {
  std::lock_guard lock(mutex_);
  if (over_) return;
  open_locked();
  over_ = true;
  form_.stream ? send_end(end) : send_whole(end);
}

void ChatAnswer::send_whole(const End& end) {
  Json message{{"role", "assistant"}, {"content", text_}, {"refusal", nullptr}};
  if (!end.tool_calls.empty()) {
    if (text_.empty()) message["content"] = nullptr;
    message["tool_calls"] = tool_calls_json(end.tool_calls, false);
  }
  Json choice{{"index", 0}, {"message", std::move(message)}, {"logprobs", nullptr}};
  choice["finish_reason"] = name_of(end.finish);
  Json json;
  json["id"] = "chatcmpl-" + form_.id;
  json["object"] = "chat.completion";
  json["created"] = form_.created_s;
  json["model"] = form_.model;
  json["choices"] = Json::array({std::move(choice)});
  json["usage"] = usage_json(end.usage);
  if (!end.extra.is_null()) json["qiao"] = end.extra;
  send_json(*writer_, 200, json, form_.headers);
}

void ChatAnswer::send_end(const End& end) {
  if (!end.tool_calls.empty()) {
    (void)send(Json{{"tool_calls", tool_calls_json(end.tool_calls, true)}}, nullptr, nullptr);
  }
  (void)send(Json::object(), name_of(end.finish), end.extra);
  if (form_.include_usage) {
    Json chunk;
    chunk["id"] = "chatcmpl-" + form_.id;
    chunk["object"] = "chat.completion.chunk";
    chunk["created"] = form_.created_s;
    chunk["model"] = form_.model;
    chunk["choices"] = Json::array();
    chunk["usage"] = usage_json(end.usage);
    (void)writer_->write(data_line(chunk));
  }
  (void)writer_->write("data: [DONE]\n\n");
  writer_->end();
}

void ChatAnswer::fail(const Error& error) {
  std::lock_guard lock(mutex_);
  if (over_) return;
  over_ = true;
  if (!open_) return send_error(*writer_, error);
  (void)writer_->write(data_line(http_error_json(error)));
  writer_->end();
}

std::string ChatAnswer::shown() const {
  std::lock_guard lock(mutex_);
  return text_;
}

}  // namespace qiao::server
