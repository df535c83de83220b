// SPDX-License-Identifier: Apache-2.0
// The calls whose answer comes bit by bit: live messages and answers while they are written.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/random.h"
#include "client/client.h"
#include "client/converse.h"
#include "client/exchange.h"
#include "client/sse.h"

namespace qiao {
namespace {

constexpr std::int64_t kReconnectFirstMs = 200;
constexpr std::int64_t kReconnectPauseMsMax = 5'000;

struct StreamEnd {
  FetchResponse head;
  bool wanted_no_more = false;  // the reader ended it
};

struct StreamReader {
  std::function<void()> on_open;  // the server has begun to answer; may be empty
  SseParser::OnEvent on_event;
};

// Reads one event stream to its end. An answer of status 400 and over is its Error.
Result<StreamEnd> read_events(const ServerAddress& server, FetchRequest request,
                              const StreamReader& reader, std::stop_token stop) {
  StreamEnd end;
  SseParser parser;
  Status parsed;
  std::string refusal;
  request.timeout_ms = 0;
  request.idle_timeout_ms = Client::kSilenceMsMax;
  request.on_head = [&](const FetchResponse& head) {
    end.head = head;
    if (head.status < 400 && reader.on_open) reader.on_open();
    return true;
  };
  request.on_body = [&](std::string_view chunk) {
    if (end.head.status >= 400) {
      refusal.append(chunk.substr(0, request.body_bytes_max - refusal.size()));
      return true;
    }
    const auto more = parser.feed(chunk, reader.on_event);
    if (!more) parsed = more.error();
    end.wanted_no_more = more && !*more;
    return more && *more;
  };
  const auto response = client::exchange(server, request, std::move(stop));
  if (!parsed) return std::move(parsed.error());
  if (end.wanted_no_more) return end;
  if (!response) return response.error();
  if (response->status >= 400) return client::error_of(server, response->status, refusal);
  return end;
}

// Pauses between tries to get a stream back: longer each time, kReconnectMsMax in all.
class Retry {
 public:
  // False when a stop came or the time is up.
  bool wait(const std::stop_token& stop) {
    if (waited_ms_ >= Client::kReconnectMsMax) return false;
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, std::chrono::milliseconds(pause_ms_), [] { return false; });
    waited_ms_ += pause_ms_;
    pause_ms_ = std::min(pause_ms_ * 2, kReconnectPauseMsMax);
    return !stop.stop_requested();
  }

 private:
  std::int64_t pause_ms_ = kReconnectFirstMs;
  std::int64_t waited_ms_ = 0;
};

// A subscription over as many connections as it takes.
class Subscription {
 public:
  Subscription(const ServerAddress& server, std::string path,
               const std::function<bool(const ReceivedMessage&)>& on_message)
      : server_(server), path_(std::move(path)), on_message_(on_message) {}

  Status run(const std::stop_token& stop) {
    while (true) {
      const auto end = connect(stop);
      if (fault_) return *fault_;
      if (stop.stop_requested() || (end && end->wanted_no_more)) return {};
      if (!end && !worth_a_retry(end.error())) return end.error();
      if (!retry_.wait(stop)) break;
    }
    if (stop.stop_requested()) return {};
    return unavailable("the server at " + server_.url + " went away and did not come back");
  }

 private:
  Result<StreamEnd> connect(const std::stop_token& stop) {
    FetchRequest request = client::make_request(server_, "GET", path_, nullptr);
    if (!last_id_.empty()) request.headers.emplace_back("Last-Event-ID", last_id_);
    const StreamReader reader{[this] {
                                opened_ = true;
                                retry_ = {};
                              },
                              [this](const SseEvent& event) { return take(event); }};
    return read_events(server_, std::move(request), reader, stop);
  }

  bool take(const SseEvent& event) {
    if (event.type != "message") return true;
    const auto json = parse_json(event.data);
    if (!json) return fail(json.error());
    const auto received = received_from_json(*json);
    if (!received) return fail(received.error());
    last_id_ = event.id;
    return on_message_(*received);
  }
  bool fail(const Error& error) {
    fault_ = error;
    return false;
  }

  // A server that was never there is an error at once; one that went away may come back.
  [[nodiscard]] bool worth_a_retry(const Error& error) const {
    return opened_ && (error.code == Code::kUnavailable || error.code == Code::kDeadline);
  }

  const ServerAddress& server_;
  const std::string path_;
  const std::function<bool(const ReceivedMessage&)>& on_message_;
  Retry retry_;
  std::string last_id_;
  bool opened_ = false;
  std::optional<Error> fault_;
};

// Gathers the chunks of one streamed chat completion.
class AnswerReader {
 public:
  explicit AnswerReader(const std::function<void(std::string_view)>& on_piece)
      : on_piece_(on_piece) {}

  bool take(const SseEvent& event) {
    if (event.data == "[DONE]") return true;
    const auto json = parse_json(event.data);
    if (!json || !json->is_object()) {
      fault_ = Error{Code::kInternal, "the server sent a piece of an answer that is not JSON"};
      return false;
    }
    if (json->contains("error")) {
      fault_ = client::error_of({}, 500, event.data);
      return false;
    }
    take_choice(*json);
    take_usage(*json);
    return true;
  }

  [[nodiscard]] const std::optional<Error>& fault() const { return fault_; }
  Answer answer;

 private:
  void take_choice(const Json& json) {
    if (!json.contains("choices") || !json["choices"].is_array() || json["choices"].empty()) return;
    const Json& choice = json["choices"][0];
    if (choice.contains("delta")) {
      const auto piece = json_string(choice["delta"], "content");
      if (piece && !piece->empty()) {
        answer.text += *piece;
        if (on_piece_) on_piece_(*piece);
      }
    }
    if (const auto finish = json_string(choice, "finish_reason")) answer.finish = *finish;
  }
  void take_usage(const Json& json) {
    if (!json.contains("usage") || !json["usage"].is_object()) return;
    answer.prompt_tokens = json_integer(json["usage"], "prompt_tokens").value_or(0);
    answer.completion_tokens = json_integer(json["usage"], "completion_tokens").value_or(0);
  }

  const std::function<void(std::string_view)>& on_piece_;
  std::optional<Error> fault_;
};

// Follows the stream of one answer over as many connections as it takes.
class AnswerFollower {
 public:
  AnswerFollower(const ServerAddress& server, const std::string& message_id,
                 const std::function<void(std::string_view)>& on_piece)
      : server_(server), path_("/v1/streams/" + url_escape(message_id)), on_piece_(on_piece) {
    answer_.message_id = message_id;
  }

  Result<Answer> run(const std::stop_token& stop) {
    while (true) {
      const auto end = connect(stop);
      if (fault_) return *fault_;
      if (over_) return std::move(answer_);
      if (stop.stop_requested()) return Error{Code::kCancelled, "stopped while an answer came"};
      if (!end && end.error().code != Code::kUnavailable && end.error().code != Code::kDeadline)
        return end.error();
      if (!retry_.wait(stop) && !stop.stop_requested()) break;
    }
    return unavailable("the server at " + server_.url + " went away and did not come back");
  }

 private:
  Result<StreamEnd> connect(const std::stop_token& stop) {
    FetchRequest request = client::make_request(server_, "GET", path_, nullptr);
    if (!last_id_.empty()) request.headers.emplace_back("Last-Event-ID", last_id_);
    const StreamReader reader{[this] { retry_ = {}; },
                              [this](const SseEvent& event) { return take(event); }};
    return read_events(server_, std::move(request), reader, stop);
  }

  // False ends this connection.
  bool take(const SseEvent& event) {
    if (event.type == "error") return take_error(event.data);
    const auto json = parse_json(event.data);
    if (!json || !json->is_object())
      return fail({Code::kInternal, "the server sent a piece of an answer that is not JSON"});
    last_id_ = event.id;
    if (event.type == "text") take_text(json_string(*json, "text").value_or(""));
    if (event.type == "reset") take_reset();
    if (event.type != "end") return true;
    take_end(*json);
    return false;
  }

  void take_text(const std::string& piece) {
    if (piece.empty()) return;
    answer_.text += piece;
    if (on_piece_) on_piece_(piece);
  }
  void take_reset() {
    if (!answer_.text.empty() && on_piece_) on_piece_("\n\n");
    answer_.text.clear();
  }
  // A reader that was too slow is cut and goes on; anything else is the end.
  bool take_error(const std::string& data) {
    Error error = client::error_of(server_, 500, data);
    if (error.code != Code::kOverloaded) fault_ = std::move(error);
    return false;
  }
  void take_end(const Json& end) {
    over_ = true;
    if (const auto error = json_string(end, "error")) fault_ = Error{Code::kModelFailed, *error};
    answer_.finish = json_string(end, "finish").value_or("");
    if (answer_.finish == "reply") answer_.finish = "stop";
    if (!end.contains("usage")) return;
    answer_.prompt_tokens = json_integer(end["usage"], "prompt_tokens").value_or(0);
    answer_.completion_tokens = json_integer(end["usage"], "completion_tokens").value_or(0);
  }
  bool fail(Error error) {
    fault_ = std::move(error);
    return false;
  }

  const ServerAddress& server_;
  const std::string path_;
  const std::function<void(std::string_view)>& on_piece_;
  Retry retry_;
  std::string last_id_;
  Answer answer_;
  bool over_ = false;
  std::optional<Error> fault_;
};

// Blindly again while the server is away: the id makes it safe.
Status publish_surely(const Client& client, const Message& message, const std::stop_token& stop) {
  Retry retry;
  while (true) {
    const auto accepted = client.publish(message);
    if (accepted) return {};
    const Code code = accepted.error().code;
    if (code != Code::kUnavailable && code != Code::kDeadline && code != Code::kOverloaded)
      return accepted.error();
    if (!retry.wait(stop)) return accepted.error();
  }
}

}  // namespace

Result<Answer> converse(const Client& client, const Question& question,
                        const std::function<void(std::string_view)>& on_piece,
                        const std::stop_token& stop) {
  QIAO_ASSIGN(const Json flow, client.get("/v1/flows/" + url_escape(question.model)));
  Message message =
      text_message(json_string(flow, "input").value_or(""), question.text, question.conversation);
  message.id = "ask-" + random_hex(12);
  message.source = "user";
  QIAO_TRY(publish_surely(client, message, stop));
  auto answer = AnswerFollower(client.server(), message.id, on_piece).run(stop);
  if (stop.stop_requested() && !answer)
    (void)client.call("POST", "/v1/messages/" + url_escape(message.id) + "/cancel", Json::object());
  return answer;
}

Status Client::subscribe(const std::string& pattern, std::optional<std::uint64_t> from,
                         const std::function<bool(const ReceivedMessage&)>& on_message,
                         std::stop_token stop) const {
  std::string path = "/v1/topics/" + url_escape(pattern) + "/subscribe";
  if (from) path += "?from=" + std::to_string(*from);
  return Subscription(server_, std::move(path), on_message).run(stop);
}

Result<Answer> Client::chat(const Question& question,
                            const std::function<void(std::string_view)>& on_piece,
                            std::stop_token stop) const {
  Json body{{"model", question.model},
            {"messages", Json::array({{{"role", "user"}, {"content", question.text}}})},
            {"stream", true},
            {"stream_options", {{"include_usage", true}}}};
  if (!question.conversation.empty()) body["conversation"] = question.conversation;
  AnswerReader reader(on_piece);
  FetchRequest request = client::make_request(server_, "POST", "/v1/chat/completions", body);
  const StreamReader stream{{}, [&](const SseEvent& event) { return reader.take(event); }};
  const auto end = read_events(server_, std::move(request), stream, std::move(stop));
  if (reader.fault()) return *reader.fault();
  if (!end) return end.error();
  for (const auto& [name, value] : end->head.headers) {
    if (name == "qiao-message-id") reader.answer.message_id = value;
  }
  return std::move(reader.answer);
}

}  // namespace qiao
