// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "client/server_address.h"
#include "message/message.h"

namespace qiao {

// What a publisher saw last of a conversation; no offset: there is no message yet.
struct ExpectedLast {
  std::optional<std::uint64_t> offset;
};

// How a message was taken.
struct Accepted {
  std::string id;
  std::uint64_t offset = 0;
  std::string durability;  // "memory", "fsync", …
  bool duplicate = false;
};

struct ReceivedMessage {
  std::uint64_t offset = 0;
  Message message;
};

struct MessagePage {
  std::vector<ReceivedMessage> messages;
  std::uint64_t next = 0;  // give it as `from` to go on
};

struct GroupOptions {
  std::string name;
  std::string pattern;
  std::string start = "now";  // "oldest", "now" or an offset
  std::int64_t lease_ms = 30'000;
  std::int32_t attempts_max = 5;
  bool ordered = true;
};

// What one step of work on a leased message gave: a later attempt gets it and need not do it again.
struct Receipt {
  std::string step;
  Json data;
};

// One message lent to this consumer until `until_ms`.
struct LeasedMessage {
  std::string group;
  std::uint64_t offset = 0;
  std::uint32_t attempt = 0;
  std::uint64_t lease = 0;  // its name
  std::int64_t until_ms = 0;
  Message message;
  std::vector<Receipt> receipts{};  // of earlier attempts
};

struct Question {
  std::string model;  // a flow's name, or a model's
  std::string text;
  std::string conversation;
};

struct Answer {
  std::string message_id;  // of the question: GET …/why explains it
  std::string text;
  std::string finish;  // "stop", "length", …
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
};

// Talks to a running server over its HTTP API (docs/reference/http.md). A plain value; every
// method blocks and may be called from any thread. Errors of the server arrive as they were
// there; no connection is `unavailable` and names the address.
class Client {
 public:
  static constexpr std::int64_t kTimeoutMs = 30'000;
  static constexpr std::int64_t kSilenceMsMax = 120'000;   // of a stream, which beats meanwhile
  static constexpr std::int64_t kReconnectMsMax = 60'000;  // trying to get a stream back

  explicit Client(ServerAddress server) : server_(std::move(server)) {}
  [[nodiscard]] const ServerAddress& server() const { return server_; }

  // Any call: `path` is percent-encoded and begins with a slash; a null body sends none.
  Result<Json> call(const std::string& method, const std::string& path, const Json& body = nullptr,
                    std::int64_t timeout_ms = kTimeoutMs, std::stop_token stop = {}) const;
  Result<Json> get(const std::string& path) const { return call("GET", path); }

  // To message.subject. `expected`: the last message of its conversation there; `conflict` when
  // another is.
  Result<Accepted> publish(const Message& message,
                           std::optional<ExpectedLast> expected = std::nullopt) const;
  // All or none, to one subject.
  Result<std::vector<Accepted>> publish(const std::string& subject,
                                        const std::vector<Message>& messages) const;
  Result<MessagePage> read(const std::string& pattern, std::uint64_t from, std::size_t limit) const;
  // `not_found` when nobody would answer, `deadline` when nobody did.
  Result<Message> request(const Message& message, std::int64_t timeout_ms,
                          std::stop_token stop = {}) const;
  // Live messages, after the kept ones from `from` on; comes back after a lost connection where it
  // was. Returns when `on_message` says false, at a stop, or when the server stays away.
  Status subscribe(const std::string& pattern, std::optional<std::uint64_t> from,
                   const std::function<bool(const ReceivedMessage&)>& on_message,
                   std::stop_token stop = {}) const;

  Status create_group(const GroupOptions& options) const;
  Status delete_group(const std::string& name) const;
  Result<std::vector<LeasedMessage>> lease(const std::string& group, const std::string& consumer,
                                           std::size_t count, std::int64_t wait_ms,
                                           std::stop_token stop = {}) const;
  // `results`, each with its subject, are stored together with the ack, or neither: `conflict` when
  // the lease has ended.
  Status ack(const LeasedMessage& leased, const std::vector<Message>& results = {}) const;
  // Kept until it is acked; of equal steps the newest counts. All or none.
  Status store_receipts(const LeasedMessage& leased, const std::vector<Receipt>& receipts) const;
  // counts: false hands it back without using up an attempt.
  Status nack(const LeasedMessage& leased, std::int64_t delay_ms, bool counts,
              const std::string& reason) const;
  Result<std::int64_t> extend(const LeasedMessage& leased, std::int64_t lease_ms) const;

  // The answer of a flow, in pieces as it is written. A stop ends it with `cancelled`.
  Result<Answer> chat(const Question& question,
                      const std::function<void(std::string_view piece)>& on_piece,
                      std::stop_token stop = {}) const;

 private:
  ServerAddress server_;
};

// One segment of a path, percent-encoded (RFC 3986).
std::string url_escape(std::string_view segment);

// A message as the API writes it, with its "offset".
Result<ReceivedMessage> received_from_json(const Json& json);

}  // namespace qiao
