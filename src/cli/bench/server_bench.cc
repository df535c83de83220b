// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/server_bench.h"

#include <atomic>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/random.h"
#include "base/scratch_folder.h"
#include "cli/bench/quantiles.h"
#include "server/app.h"
#include "server/config.h"

namespace qiao::cli {
namespace {

constexpr std::int64_t kRequestMs = 10'000;
constexpr const char* kSubject = "bench.reply";

// What all threads of a measurement found, and the first thing that went wrong.
class Findings {
 public:
  void add(double ms) {
    const std::lock_guard lock(mutex_);
    times_ms_.push_back(ms);
  }
  void fail(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = error;
  }
  [[nodiscard]] const std::vector<double>& times_ms() const { return times_ms_; }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  std::mutex mutex_;
  std::vector<double> times_ms_;
  std::optional<Error> error_;
};

Status answer_all(const Client& client, const std::vector<LeasedMessage>& leased) {
  for (const LeasedMessage& one : leased) {
    Message reply = text_message(one.message.reply_to, "pong");
    reply.correlation = one.message.id;
    QIAO_TRY(client.ack(one, {reply}));
  }
  return {};
}

void respond(const Client& client, const std::stop_token& stop, Findings& findings) {
  while (!stop.stop_requested()) {
    const auto leased = client.lease(kSubject, "responder", 1, 200);
    const Status answered = leased ? answer_all(client, *leased) : Status(leased.error());
    if (!answered) return findings.fail(answered.error());
  }
}

void ask(const Client& client, std::int64_t end_us, Findings& findings) {
  const SystemClock clock;
  for (std::int64_t begin_us = 0; (begin_us = clock.steady_us()) < end_us;) {
    const auto reply = client.request(text_message(kSubject, "ping"), kRequestMs);
    if (!reply) return findings.fail(reply.error());
    findings.add(static_cast<double>(clock.steady_us() - begin_us) / 1000);
  }
}

Result<std::unique_ptr<App>> start_server(const std::string& data, bool fsync) {
  ServerConfig config;
  config.data = data;
  config.listen = "127.0.0.1:0";
  config.fsync = fsync;
  config.log_level = "error";
  config.chat_model = "none";
  return App::start(std::move(config));
}

}  // namespace

Result<Json> bench_reply(const Session&, const ServerBenchOptions& options) {
  const ScratchFolder folder;
  const std::string data = options.data.empty() ? folder.path() : options.data;
  QIAO_ASSIGN(const std::unique_ptr<App> app, start_server(data, options.fsync));
  const Client client({app->url(), app->key()});
  QIAO_TRY(client.create_group({kSubject, kSubject, "now"}));
  Findings findings;
  const SystemClock clock;
  const std::int64_t begin_us = clock.steady_us();
  const auto end_us = begin_us + static_cast<std::int64_t>(options.seconds * 1e6);
  {
    std::vector<std::jthread> responders;
    std::vector<std::jthread> askers;
    for (int i = 0; i < options.clients; ++i) {
      responders.emplace_back(
          [&](const std::stop_token& stop) { respond(client, stop, findings); });
      askers.emplace_back([&] { ask(client, end_us, findings); });
    }
    askers.clear();
  }
  app->stop();
  if (findings.error()) return *findings.error();
  const double seconds = static_cast<double>(clock.steady_us() - begin_us) / 1e6;
  return Json{{"bench", "reply"},
              {"peer", "qiao"},
              {"clients", options.clients},
              {"requests", findings.times_ms().size()},
              {"messages_per_s", static_cast<double>(findings.times_ms().size()) / seconds},
              {"p50_ms", quantile(findings.times_ms(), 0.50)},
              {"p99_ms", quantile(findings.times_ms(), 0.99)},
              {"durability", options.fsync ? "fsync" : "memory"}};
}

namespace {

// One conversation of `rounds` questions.
std::int64_t converse(const Client& client, const ServerBenchOptions& options, Findings& findings) {
  const SystemClock clock;
  const std::string conversation = "bench-" + random_hex(6);
  std::int64_t tokens = 0;
  for (int round = 0; round < options.rounds; ++round) {
    const std::int64_t begin_us = clock.steady_us();
    std::int64_t first_us = 0;
    const auto on_piece = [&](std::string_view) {
      if (first_us == 0) first_us = clock.steady_us();
    };
    const auto answer = client.chat({options.flow, options.text, conversation}, on_piece);
    if (!answer) {
      findings.fail(answer.error());
      return tokens;
    }
    if (first_us != 0) findings.add(static_cast<double>(first_us - begin_us) / 1000);
    tokens += answer->completion_tokens;
  }
  return tokens;
}

}  // namespace

Result<Json> bench_chat(const Client& client, const ServerBenchOptions& options) {
  Findings findings;
  std::atomic<std::int64_t> tokens = 0;
  const SystemClock clock;
  const std::int64_t begin_us = clock.steady_us();
  {
    std::vector<std::jthread> conversations;
    for (int i = 0; i < options.clients; ++i)
      conversations.emplace_back([&] { tokens += converse(client, options, findings); });
  }
  if (findings.error()) return *findings.error();
  const double seconds = static_cast<double>(clock.steady_us() - begin_us) / 1e6;
  return Json{{"bench", "chat"},
              {"peer", "qiao"},
              {"model", options.flow},
              {"conversations", options.clients},
              {"answers", options.clients * options.rounds},
              {"tokens", tokens.load()},
              {"tokens_per_s", static_cast<double>(tokens.load()) / seconds},
              {"ttft_p50_ms", quantile(findings.times_ms(), 0.50)},
              {"ttft_p99_ms", quantile(findings.times_ms(), 0.99)},
              {"seconds", seconds}};
}

}  // namespace qiao::cli
