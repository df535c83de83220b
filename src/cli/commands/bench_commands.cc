// SPDX-License-Identifier: Apache-2.0
// bench: measures this machine. One JSON object a run with --json, for tools/bench.
#include <cstdio>

#include "base/i18n.h"
#include "cli/bench/bench.h"
#include "cli/bench/model_bench.h"
#include "cli/bench/scale_bench.h"
#include "cli/bench/server_bench.h"
#include "cli/bench/turn_bench.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/table.h"

namespace qiao::cli {
namespace {

struct Given {
  std::string what;
  std::int64_t publishers = 64;
  std::int64_t bytes = 256;
  std::int64_t clients = 8;
  std::int64_t messages = 10'000;
  std::string seconds = "3";
  std::string directory;
  bool no_fsync = false;
  std::string model;
  std::string engine = "worker";
  std::int64_t threads = 0;
  std::int64_t tokens = 64;
  std::string text = "How long does delivery take?";

  [[nodiscard]] Result<double> duration_s() const {
    char* end = nullptr;
    const double value = std::strtod(seconds.c_str(), &end);
    if (*end != '\0' || value <= 0 || value > kBenchSecondsMax)
      return invalid_argument("--seconds is a number above 0, at most 600");
    return value;
  }
};

Result<Json> measure_model(const Given& given, double seconds) {
  ModelBenchOptions options;
  options.model = given.model;
  options.engine = given.engine;
  options.conversations = static_cast<int>(given.clients);
  options.threads = static_cast<int>(given.threads);
  options.tokens = static_cast<int>(given.tokens);
  options.seconds = seconds;
  options.text = given.text;
  if (options.model.empty()) return invalid_argument("--model names the model to measure");
  return given.what == "encoder" ? bench_encoder(options) : bench_generator(options);
}

Result<Json> measure_server(const Session& session, const Given& given, double seconds) {
  ServerBenchOptions options;
  options.clients = static_cast<int>(given.clients);
  options.seconds = seconds;
  options.fsync = !given.no_fsync;
  options.data = given.directory;
  options.flow = given.model;
  options.text = given.text;
  if (given.what == "reply") return bench_reply(session, options);
  if (options.flow.empty()) return invalid_argument("--model names the flow or model to talk to");
  QIAO_ASSIGN(const Client client, session.client());
  return bench_chat(client, options);
}

Result<Json> measure_broker(const Given& given, double seconds) {
  if (given.publishers < 1 || given.publishers > kBenchPublishersMax)
    return invalid_argument("--publishers is 1 to " + std::to_string(kBenchPublishersMax));
  if (given.bytes < 0) return invalid_argument("--bytes is not negative");
  BenchOptions options;
  options.what = given.what;
  options.publishers = static_cast<int>(given.publishers);
  options.bytes = static_cast<std::size_t>(given.bytes);
  options.seconds = seconds;
  options.data = given.directory;
  options.fsync = !given.no_fsync;
  return run_bench(options);
}

Result<Json> measure_scale(const Given& given) {
  if (given.bytes < 0) return invalid_argument("--bytes is not negative");
  return run_scale_bench({given.what, given.messages, static_cast<std::size_t>(given.bytes),
                          given.directory, !given.no_fsync});
}

Result<Json> measure(const Session& session, const Given& given) {
  QIAO_ASSIGN(const double seconds, given.duration_s());
  if (given.clients < 1 || given.clients > 1'000) return invalid_argument("--clients is 1 to 1000");
  const std::string& what = given.what;
  if (what == "reply" || what == "chat") return measure_server(session, given, seconds);
  if (what == "encoder" || what == "generator") return measure_model(given, seconds);
  if (what == "publish" || what == "lease" || what == "hop") return measure_broker(given, seconds);
  if (what == "start" || what == "lanes" || what == "storm") return measure_scale(given);
  if (what == "turn") {
    return bench_turn({static_cast<int>(given.clients), seconds, given.directory, !given.no_fsync});
  }
  return invalid_argument("'" + what +
                          "' is none of publish, lease, hop, turn, reply, chat, generator, "
                          "encoder, start, lanes, storm");
}

std::string shown(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number_float()) return dump_json(value);
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.3f", value.get<double>());
  return buffer;
}

Action prepare_bench(Options& options) {
  const auto given = std::make_shared<Given>();
  options.positional("WHAT", given->what, Text::kCliBenchWhatHelp);
  options.option("--publishers", "N", given->publishers, Text::kCliBenchPublishersHelp);
  options.option("--bytes", "N", given->bytes, Text::kCliBenchBytesHelp);
  options.option("--clients", "N", given->clients, Text::kCliBenchClientsHelp);
  options.option("--messages", "N", given->messages, Text::kCliBenchMessagesHelp);
  options.option("--seconds", "N", given->seconds, Text::kCliBenchSecondsHelp);
  options.option("--dir", "DIR", given->directory, Text::kCliBenchDirHelp);
  options.flag("--no-fsync", given->no_fsync, Text::kCliNoFsyncHelp);
  options.option("--model", "NAME", given->model, Text::kCliBenchModelHelp);
  options.choice("--engine", given->engine, {"worker", "in-process"}, Text::kCliBenchEngineHelp);
  options.option("--threads", "N", given->threads, Text::kCliBenchThreadsHelp);
  options.option("--tokens", "N", given->tokens, Text::kCliBenchTokensHelp);
  options.option("--text", "TEXT", given->text, Text::kCliBenchTextHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Json result, measure(session, *given));
    if (session.json) {
      session.print_json(result);
      return kExitOk;
    }
    Table table({{""}, {"", Align::kRight}});
    for (const auto& [key, value] : result.items()) table.add({key, shown(value)});
    session.terminal.out.write(table.text(session.terminal.out));
    return kExitOk;
  };
}

}  // namespace

std::vector<Command> bench_commands() {
  return {{"bench", Text::kCliBench, "qiao bench publish --publishers 64 --bytes 256 --json",
           prepare_bench}};
}

}  // namespace qiao::cli
