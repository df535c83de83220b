// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>

#include "base/i18n.h"
#include "flow/turn/approval.h"
#include "server/api/answer_reader.h"
#include "server/api/sse.h"
#include "server/openai/openai_answer.h"
#include "server/openai/openai_chat.h"
#include "server/openai/openai_conversations.h"
#include "text/language.h"

namespace qiao::server {
namespace {

// A flow has its own prompts, tools and formats.
Status check_for_flow(const ChatRequest& request) {
  const GenerateRequest& generate = request.generate;
  if (generate.turns.back().role != Role::kUser)
    return invalid_argument("the last of 'messages' must be the user's");
  if (!generate.tools.is_null()) {
    return Error{Code::kUnsupported, "'" + request.model +
                                         "' is a flow and calls its own tools; give 'tools' to a "
                                         "model such as 'chat'"};
  }
  if (!generate.json_schema.is_null()) {
    return Error{Code::kUnsupported, "'" + request.model +
                                         "' is a flow and forms its answers itself; give "
                                         "'response_format' to a model such as 'chat'"};
  }
  return {};
}

Usage usage_of(const Json& end) {
  Usage usage;
  const auto found = end.find("usage");
  if (found == end.end()) return usage;
  const auto take = [&found](const char* key) {
    return static_cast<std::int32_t>(json_integer(*found, key).value_or(0));
  };
  usage.prompt_tokens = take("prompt_tokens");
  usage.cached_tokens = take("cached_tokens");
  usage.completion_tokens = take("completion_tokens");
  return usage;
}

constexpr std::int64_t kConsentCheckMs = 1'000;  // of silence, between looks at why

// One turn of a flow for one OpenAI client. Held by the reader's hooks until the answer ends.
class FlowChat : public std::enable_shared_from_this<FlowChat> {
 public:
  FlowChat(const ApiServices& services, FlowEngine& flow, ChatRequest request, Writer writer)
      : services_(services),
        flow_(flow),
        request_(std::move(request)),
        writer_(std::move(writer)),
        message_id_(services.ids.next()) {
    find_conversation();
    ChatAnswer::Form form{message_id_,
                          request_.model,
                          services.clock.wall_ms() / 1'000,
                          request_.stream,
                          request_.include_usage,
                          {{"Qiao-Message-Id", message_id_}, {"Qiao-Conversation", conversation_}}};
    answer_ = std::make_unique<ChatAnswer>(writer_, std::move(form));
  }

  void start() {
    AnswerReader::Hooks hooks;
    hooks.on_attached = [self = shared_from_this()] { self->publish(); };
    hooks.on_event = [self = shared_from_this()](const StreamEvent& event) {
      return self->take(event);
    };
    hooks.on_over = [self = shared_from_this()](const Status& status) { self->over(status); };
    heartbeat_ = std::make_shared<Heartbeat>(services_.broker_loop, writer_);
    const auto reader = std::make_shared<AnswerReader>(
        AnswerReader::Places{services_.streams, services_.broker_loop}, message_id_,
        std::move(hooks));
    reader_ = reader;
    writer_->on_close([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->leave();
    });
    reader->start({});
  }

 private:
  void find_conversation() {
    conversation_ = request_.conversation;
    if (!conversation_.empty()) return;
    std::vector<ChatTurn>& turns = request_.generate.turns;
    const std::vector<ChatTurn> before(turns.begin(), turns.end() - 1);
    key_before_ = ConversationFinder::key_of(request_.model, request_.user, before);
    conversation_ = services_.conversations.take(key_before_).value_or("");
    if (conversation_.empty()) conversation_ = services_.ids.next();
  }

  // Files the conversation under what the client will send next; a failed turn changed nothing.
  void file_conversation(bool answered) {
    if (!request_.conversation.empty()) return;
    if (!answered) return services_.conversations.put(key_before_, conversation_);
    std::vector<ChatTurn> turns = request_.generate.turns;
    turns.push_back({Role::kAssistant, answer_->shown(), {}, {}});
    services_.conversations.put(ConversationFinder::key_of(request_.model, request_.user, turns),
                                conversation_);
  }

  void publish() {
    Message message =
        text_message(flow_.config().input, request_.generate.turns.back().content, conversation_);
    message.id = message_id_;
    message.source = "user";
    services_.broker.publish(
        {std::move(message)},
        [self = shared_from_this()](const Result<std::vector<Published>>& published) {
          if (!published) {
            if (const auto reader = self->reader_.lock()) reader->fail(published.error());
            return;
          }
          self->watch_for_consent();
          if (!self->request_.stream) return;
          self->answer_->open();
          self->heartbeat_->start();
        });
  }

  // A conversation that waits for somebody's consent answers nothing for hours: its asker is told
  // and let go. What it sent stays in its lane; the reply comes at the flow's output.
  void watch_for_consent() {
    services_.broker_loop.post_after(kConsentCheckMs, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self || self->begun_ || self->reader_.expired()) return;
      self->services_.broker.parked("flow." + self->flow_.config().name,
                                    [weak](const Result<std::vector<ParkedMessage>>& parked) {
                                      const auto chat = weak.lock();
                                      if (!chat) return;
                                      if (parked) chat->let_go_if_parked(*parked);
                                      chat->watch_for_consent();  // the turn before may park yet
                                    });
    });
  }

  void let_go_if_parked(const std::vector<ParkedMessage>& parked) {
    const auto mine = std::find_if(parked.begin(), parked.end(), [this](const ParkedMessage& one) {
      return one.message.conversation == conversation_ && one.message.id != message_id_ &&
             one.reason.starts_with(flow::kParkReason);
    });
    const auto reader = reader_.lock();
    if (begun_ || mine == parked.end() || !reader || !reader->leave()) return;
    heartbeat_->stop();
    (void)answer_->text(in_users_language(Text::kFlowWaitsForConsent));
    ChatAnswer::End end;
    end.extra = {{"finish", "waiting"},
                 {"message_id", message_id_},
                 {"conversation", conversation_},
                 {"approval", mine->reason.substr(flow::kParkReason.size())}};
    file_conversation(true);
    answer_->finish(end);
  }

  [[nodiscard]] std::string in_users_language(Text text) const {
    const std::string& said = request_.generate.turns.back().content;
    return tr(detect_language(said).value_or(Language::kEnglish), text);
  }

  Status take(const StreamEvent& event) {
    begun_ = true;
    switch (event.kind) {
      case StreamEvent::Kind::kText:
        return answer_->text(event.text);
      case StreamEvent::Kind::kReset:
        answer_->reset(json_string(event.data, "reason").value_or(""));
        return {};
      case StreamEvent::Kind::kInfo:
        return {};
      case StreamEvent::Kind::kEnd:
        end_ = event.data;
        return {};
    }
    return {};
  }

  void over(const Status& status) {
    heartbeat_->stop();
    if (!status) return fail(status.error());
    if (const auto error = json_string(end_, "error"))
      return fail(Error{Code::kModelFailed, *error});
    ChatAnswer::End end;
    end.usage = usage_of(end_);
    end.extra = end_;
    end.extra["reply_id"] = end_.value("message_id", "");
    end.extra["message_id"] = message_id_;
    // Who holds the conversation answers later; until then these words do.
    const bool to_person = end_.value("state", "") == "person";
    if (to_person && answer_->shown().empty())
      (void)answer_->text(in_users_language(Text::kFlowPassedOn));
    file_conversation(true);
    answer_->finish(end);
  }

  void leave() {
    const auto reader = reader_.lock();
    if (!reader || !reader->leave()) return;
    file_conversation(false);
    flow_.cancel(message_id_);
  }

  void fail(const Error& error) {
    file_conversation(false);
    answer_->fail(error);
    flow_.cancel(message_id_);
  }

  const ApiServices& services_;
  FlowEngine& flow_;
  ChatRequest request_;
  Writer writer_;
  const std::string message_id_;
  std::string conversation_;
  std::string key_before_;
  std::unique_ptr<ChatAnswer> answer_;
  std::shared_ptr<Heartbeat> heartbeat_;
  std::weak_ptr<AnswerReader> reader_;
  std::atomic<bool> begun_{false};  // something of the answer came
  Json end_;
};

}  // namespace

void chat_with_flow(const ApiServices& services, FlowEngine& flow, ChatRequest request,
                    Writer writer) {
  if (const Status good = check_for_flow(request); !good) return send_error(*writer, good.error());
  std::make_shared<FlowChat>(services, flow, std::move(request), std::move(writer))->start();
}

}  // namespace qiao::server
