// SPDX-License-Identifier: Apache-2.0
// serve, run, worker: the server in this process.
#include <csignal>

#include "base/i18n.h"
#include "base/logging.h"
#include "cli/chat.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/interrupts.h"
#include "model/open_model.h"
#include "server/app.h"
#include "server/config.h"

namespace qiao::cli {
namespace {

constexpr std::int64_t kReadyMsMax = 120'000;

struct ServeOptions {
  std::vector<std::string> flows;
  std::string file;
  std::string data, listen, key, log, chat_model, log_level;
  bool no_fsync = false;
  std::string chat;  // run: the flow to talk to

  void declare(Options& options, bool flows_required) {
    options.positionals("FLOW_DIR", flows, Text::kCliFlowDirsHelp, flows_required);
    options.option("--data", "DIR", data, Text::kCliDataHelp);
    options.option("--listen", "HOST:PORT", listen, Text::kCliListenHelp);
    options.option("--key", "KEY", key, Text::kCliServeKeyHelp);
    options.choice("--log", log, {"segments", "memory"}, Text::kCliLogHelp);
    options.flag("--no-fsync", no_fsync, Text::kCliNoFsyncHelp);
    options.option("--chat-model", "NAME", chat_model, Text::kCliChatModelHelp);
    options.option("--log-level", "LEVEL", log_level, Text::kCliLogLevelHelp);
    options.option("--config", "FILE", file, Text::kCliConfigHelp);
  }

  // Keys of the config that the command line sets.
  [[nodiscard]] std::map<std::string, std::string> flags(Language language) const {
    std::map<std::string, std::string> flags;
    const auto set = [&flags](const char* key_name, const std::string& value) {
      if (!value.empty()) flags[key_name] = value;
    };
    set("data", data);
    set("listen", listen);
    set("key", key);
    set("log", log);
    set("chat_model", chat_model);
    set("log_level", log_level);
    set("language", language == Language::kChinese ? "zh" : "en");
    if (no_fsync) flags["fsync"] = "false";
    std::string list;
    for (const std::string& flow : flows) list += (list.empty() ? "" : ":") + flow;
    set("flows", list);
    return flags;
  }
};

Result<std::unique_ptr<App>> start(Session& session, const ServeOptions& options) {
  QIAO_ASSIGN(ServerConfig config, load_config({options.file, options.flags(session.language)}));
  QIAO_ASSIGN(const LogLevel level, parse_log_level(config.log_level));
  set_log_level(level);
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is the reader's affair
  return App::start(std::move(config));
}

// The address and, once in its life, the key; then what each flow has to do without.
void introduce(Session& session, const App& app, const Client& client) {
  Output& out = session.terminal.out;
  if (session.json) {
    session.print_json(Json{{"url", app.url()}, {"key", app.key_is_new() ? app.key() : ""}});
    return;
  }
  out.line(session.say(Text::kCliServing, {out.paint(Style::kBold, app.url())}));
  if (app.key_is_new()) out.line(session.say(Text::kCliNewKey, {app.key()}));
  const auto status = client.get("/v1/status");
  if (!status || !status->contains("flows")) return;
  for (const Json& flow : (*status)["flows"]) {
    std::string lacks;
    for (const Json& item : flow.value("lacks", Json::array()))
      if (item.is_string()) lacks += (lacks.empty() ? "" : ", ") + item.get<std::string>();
    const std::string name = json_string(flow, "name").value_or("");
    out.line(lacks.empty() ? session.say(Text::kCliFlowReady, {name})
                           : session.say(Text::kCliFlowLacks, {name, lacks}));
  }
}

Client client_of(const App& app) {
  return Client({app.url(), app.key()});
}

Action prepare_serve(Options& options) {
  const auto given = std::make_shared<ServeOptions>();
  given->declare(options, false);
  return [given](Session& session) -> Result<int> {
    Interrupts interrupts;
    QIAO_ASSIGN(const std::unique_ptr<App> app, start(session, *given));
    introduce(session, *app, client_of(*app));
    interrupts.wait(-1);
    session.note(Text::kCliStopping);
    app->stop();  // the signal is not taken: a second Ctrl-C ends the program at once
    return kExitOk;
  };
}

// The models may still be loading.
Status wait_until_ready(const Client& client, Interrupts& interrupts) {
  constexpr int kStepMs = 100;
  for (std::int64_t waited_ms = 0; waited_ms < kReadyMsMax; waited_ms += kStepMs) {
    const auto ready = client.get("/readyz");
    if (ready) return {};
    if (interrupts.wait(kStepMs)) return Error{Code::kCancelled, "stopped before it was ready"};
  }
  return unavailable("the models are not ready after two minutes; see `qiao model ps`");
}

// The name of the first flow, when none is named.
Result<std::string> first_flow(const Client& client) {
  QIAO_ASSIGN(const Json json, client.get("/v1/flows"));
  if (!json.contains("flows") || json["flows"].empty())
    return not_found("there is no flow to talk to; name its folder: qiao run FLOW_DIR");
  return json_string(json["flows"][0], "name").value_or("");
}

Result<int> chat_with(Session& session, const Client& client, Interrupts& interrupts,
                      const std::string& flow) {
  QIAO_TRY(wait_until_ready(client, interrupts));
  ChatOptions chat{flow, ""};
  if (flow.empty()) {
    QIAO_ASSIGN(chat.flow, first_flow(client));
  }
  return run_chat(session, client, interrupts, chat);
}

Action prepare_run(Options& options) {
  const auto given = std::make_shared<ServeOptions>();
  given->declare(options, false);
  options.option("--chat", "FLOW", given->chat, Text::kCliRunChatHelp);
  return [given](Session& session) -> Result<int> {
    if (given->log_level.empty()) given->log_level = "warn";  // the terminal belongs to the chat
    Interrupts interrupts;
    QIAO_ASSIGN(const std::unique_ptr<App> app, start(session, *given));
    const Client client = client_of(*app);
    introduce(session, *app, client);
    auto done = chat_with(session, client, interrupts, given->chat);
    app->stop();
    return done;
  };
}

Action prepare_worker(Options& options) {
  const auto fd = std::make_shared<std::int64_t>(-1);
  options.option("--fd", "N", *fd, Text::kCliWorkerFdHelp);
  return [fd](Session&) -> Result<int> {
    if (*fd < 0) return invalid_argument("worker is started by `qiao serve`, not by hand");
    return run_worker(static_cast<int>(*fd));
  };
}

}  // namespace

std::vector<Command> serve_commands() {
  return {{"serve", Text::kCliServe, "qiao serve --data .qiao --listen 127.0.0.1:7411 ./shop",
           prepare_serve},
          {"run", Text::kCliRun, "qiao run ./shop", prepare_run},
          {"worker", Text::kCliWorker, "", prepare_worker, true}};
}

}  // namespace qiao::cli
