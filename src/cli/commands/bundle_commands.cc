// SPDX-License-Identifier: Apache-2.0
// model promote, rollback: which version of a bundle is served.
#include <filesystem>

#include "base/clock.h"
#include "base/i18n.h"
#include "cli/command.h"
#include "cli/commands/bundle_place.h"
#include "cli/exit_status.h"
#include "model/bundle/bundle_store.h"
#include "model/catalogue/catalogue.h"

namespace qiao::cli {
namespace {

std::string path_of(const std::string& name, const char* action) {
  return "/v1/models/" + url_escape(name) + "/" + action;
}

// What the server says; nothing when none runs here and none was named.
Result<std::optional<Json>> ask_server(Session& session, const std::string& path,
                                       const Json& body) {
  const auto client = session.client();
  const bool named = !session.server.url.empty();
  if (!client && named) return client.error();
  if (!client) return std::optional<Json>();
  auto answer = client->call("POST", path, body, kLoadBundleMs);
  if (answer) return std::optional<Json>(std::move(*answer));
  if (answer.error().code == Code::kUnavailable && !named) return std::optional<Json>();
  return std::move(answer.error());
}

Status tell(Session& session, const std::string& name, const std::string& version, bool served) {
  if (session.json) {
    session.print_json(Json{{"bundle", name}, {"version", version}, {"served", served}});
  } else {
    session.terminal.out.line(session.say(
        served ? Text::kCliModelPromoted : Text::kCliModelInstalledOnly, {name, version}));
  }
  return {};
}

// Without a server the files alone change, and the next start checks them against the flows.
Result<std::string> promote_here(const std::string& name, const std::string& what) {
  const std::string models = default_models_directory();
  QIAO_ASSIGN(const std::string version, find_or_import(models, name, what));
  const SystemClock clock;
  QIAO_TRY(promote_version(models, name, version, clock.wall_ms()));
  return version;
}

std::string version_in(const Json& answer) {
  return json_string(answer, "version").value_or("");
}

bool served_in(const Json& answer) {
  return json_bool(answer, "served").value_or(false);
}

Action prepare_promote(Options& options) {
  const auto name = std::make_shared<std::string>();
  const auto what = std::make_shared<std::string>();
  options.positional("NAME", *name, Text::kCliModelBundleHelp);
  options.positional("BUNDLE", *what, Text::kCliModelPromoteWhatHelp);
  options.server();
  return [name, what](Session& session) -> Result<int> {
    const std::string place = bundle_place(*what);
    QIAO_ASSIGN(const auto answer,
                ask_server(session, path_of(*name, "promote"), Json{{"bundle", place}}));
    if (answer) {
      QIAO_TRY(tell(session, *name, version_in(*answer), served_in(*answer)));
      return kExitOk;
    }
    QIAO_ASSIGN(const std::string version, promote_here(*name, place));
    QIAO_TRY(tell(session, *name, version, false));
    return kExitOk;
  };
}

Action prepare_rollback(Options& options) {
  const auto name = std::make_shared<std::string>();
  options.positional("NAME", *name, Text::kCliModelBundleHelp);
  options.server();
  return [name](Session& session) -> Result<int> {
    QIAO_ASSIGN(const auto answer, ask_server(session, path_of(*name, "rollback"), Json::object()));
    if (answer) {
      QIAO_TRY(tell(session, *name, version_in(*answer), served_in(*answer)));
      return kExitOk;
    }
    QIAO_ASSIGN(const std::string version, roll_back_version(default_models_directory(), *name));
    QIAO_TRY(tell(session, *name, version, false));
    return kExitOk;
  };
}

}  // namespace

std::string bundle_place(const std::string& what) {
  std::error_code fault;
  const bool folder = std::filesystem::is_directory(what, fault);
  return folder ? std::filesystem::absolute(what, fault).string() : what;
}

std::vector<Command> bundle_commands() {
  return {
      {"model promote", Text::kCliModelPromote, "qiao model promote intents ./intents",
       prepare_promote},
      {"model rollback", Text::kCliModelRollback, "qiao model rollback intents", prepare_rollback}};
}

}  // namespace qiao::cli
