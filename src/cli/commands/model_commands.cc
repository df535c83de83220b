// SPDX-License-Identifier: Apache-2.0
// model pull, ls, ps, rm, verify.
#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/i18n.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/interrupts.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "model/bundle/bundle_store.h"
#include "model/catalogue/catalogue.h"
#include "text/display_width.h"

namespace qiao::cli {
namespace {

// Of a name of the catalogue, an address, or a path. `name`, unless it is empty, is the model's.
Result<CatalogueEntry> entry_of(const std::string& what, const std::string& name) {
  std::error_code fault;
  const bool place = what.find("://") != std::string::npos || what.find('/') != std::string::npos ||
                     std::filesystem::exists(what, fault);
  if (place) return describe_place(what, name);
  QIAO_ASSIGN(CatalogueEntry entry, find_model(what));
  if (!name.empty()) entry.name = name;
  return entry;
}

Result<std::string> pull_one(Session& session, const CatalogueEntry& entry) {
  session.note(Text::kCliPulling, {entry.name, human_bytes(entry.bytes), entry.licence});
  const SystemClock clock;
  Interrupts interrupts;
  const StopOnInterrupt stop(interrupts);
  Progress progress(session.terminal.err, clock);
  return pull_model(
      entry, default_models_directory(),
      [&](const PullProgress& step) { progress.show(step.step, step.done, step.total); },
      stop.token());
}

Action prepare_pull(Options& options) {
  const auto models = std::make_shared<std::vector<std::string>>();
  const auto name = std::make_shared<std::string>();
  options.positionals("MODEL", *models, Text::kCliPullWhatHelp);
  options.option("--name", "NAME", *name, Text::kCliPullNameHelp);
  return [models, name](Session& session) -> Result<int> {
    if (!name->empty() && models->size() > 1) {
      return invalid_argument(session.say(Text::kCliPullNameOne, {std::to_string(models->size())}));
    }
    Json list = Json::array();
    for (const std::string& model : *models) {
      QIAO_ASSIGN(const CatalogueEntry entry, entry_of(model, *name));
      QIAO_ASSIGN(const std::string path, pull_one(session, entry));
      list.push_back(Json{{"model", entry.name}, {"path", path}});
      if (!session.json) session.terminal.out.line(path);
    }
    if (session.json) session.print_json(Json{{"models", list}});
    return kExitOk;
  };
}

// A bundle as one of the models: its size, its labels, and what its card says.
Json bundle_json(const InstalledBundle& bundle) {
  const char* counted = bundle.task == "tag"        ? " tags"
                        : bundle.labels.is_object() ? " heads"
                                                    : " labels";
  const std::string title =
      bundle.state.current() + ", " + std::to_string(bundle.labels.size()) + counted;
  return Json{{"name", bundle.state.name},
              {"kind", bundle.task == "tag" ? "tagger" : "classifier"},
              {"bytes", bundle.bytes},
              {"installed", true},
              {"title", title},
              {"licence", json_string(bundle.card, "licence").value_or("")},
              {"version", bundle.state.current()},
              {"labels", bundle.labels},
              {"card", bundle.card}};
}

Json models_json(const std::vector<InstalledModel>& installed,
                 const std::vector<InstalledBundle>& bundles) {
  Json models = Json::array();
  for (const InstalledBundle& bundle : bundles) models.push_back(bundle_json(bundle));
  for (const InstalledModel& model : installed) {
    models.push_back(Json{{"name", model.name},
                          {"kind", model.kind},
                          {"bytes", model.bytes},
                          {"installed", true},
                          {"title", model.source},
                          {"licence", model.licence},
                          {"path", model.path}});
  }
  for (const CatalogueEntry& entry : builtin_catalogue()) {
    auto found = std::find_if(models.begin(), models.end(), [&](const Json& model) {
      return json_string(model, "name") == entry.name;
    });
    if (found == models.end()) {
      models.push_back(Json{{"name", entry.name},
                            {"kind", entry.kind},
                            {"bytes", entry.bytes},
                            {"installed", false}});
      found = std::prev(models.end());
    }
    Json& model = *found;
    model["licence"] = entry.licence;
    model["title"] = entry.title;
    model["languages"] = entry.languages;
  }
  return models;
}

Action prepare_ls(Options&) {
  return [](Session& session) -> Result<int> {
    const std::string directory = default_models_directory();
    QIAO_ASSIGN(const std::vector<InstalledModel> installed, list_models(directory));
    QIAO_ASSIGN(const std::vector<InstalledBundle> bundles, list_bundles(directory));
    const Json models = models_json(installed, bundles);
    if (session.json) {
      session.print_json(Json{{"directory", directory}, {"models", models}});
      return kExitOk;
    }
    Table table({{session.say(Text::kCliColumnModel)},
                 {session.say(Text::kCliColumnKind)},
                 {session.say(Text::kCliColumnSize), Align::kRight},
                 {session.say(Text::kCliColumnInstalled)},
                 {session.say(Text::kCliColumnTitle)},
                 {session.say(Text::kCliColumnLicence)}});
    for (const Json& model : models) {
      const bool here = json_bool(model, "installed").value_or(false);
      table.add({json_string(model, "name").value_or(""), json_string(model, "kind").value_or(""),
                 human_bytes(static_cast<std::uint64_t>(json_integer(model, "bytes").value_or(0))),
                 Cell(session.say(here ? Text::kCliYes : Text::kCliNo),
                      here ? Style::kGood : Style::kDim),
                 json_string(model, "title").value_or(""),
                 json_string(model, "licence").value_or("")});
    }
    session.terminal.out.write(table.text(session.terminal.out));
    session.note(Text::kCliModelsAt, {directory});
    return kExitOk;
  };
}

// Of a bundle its version and labels (heads, where it has several), when nothing is wrong.
std::string note_of(const Json& model) {
  std::string note = json_string(model, "note").value_or("");
  const auto bundle = model.find("bundle");
  if (!note.empty() || bundle == model.end()) return note;
  note = json_string(*bundle, "version").value_or("");
  constexpr std::size_t kShownLabels = 4;
  const Json labels = bundle->value("labels", Json::array());
  std::size_t shown = 0;
  for (const auto& [key, label] : labels.items()) {
    if (shown == kShownLabels) return note + ", …";
    const std::string name = label.is_string() ? label.get<std::string>() : key;
    note += (shown++ == 0 ? ": " : ", ") + name;
  }
  return note;
}

Action prepare_ps(Options& options) {
  options.server();
  return [](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_ASSIGN(const Json status, client.get("/v1/status"));
    const Json models = status.value("models", Json::array());
    if (session.json) {
      session.print_json(Json{{"models", models}});
      return kExitOk;
    }
    Table table({{session.say(Text::kCliColumnModel)},
                 {session.say(Text::kCliColumnKind)},
                 {session.say(Text::kCliColumnWhere)},
                 {session.say(Text::kCliColumnReady)},
                 {session.say(Text::kCliColumnMemory), Align::kRight},
                 {session.say(Text::kCliColumnRestarts), Align::kRight},
                 {session.say(Text::kCliColumnNote)}});
    for (const Json& model : models) {
      const bool ready = json_bool(model, "ready").value_or(false);
      table.add({json_string(model, "name").value_or(""), json_string(model, "kind").value_or(""),
                 json_string(model, "where").value_or(""),
                 Cell(session.say(ready ? Text::kCliYes : Text::kCliNo),
                      ready ? Style::kGood : Style::kWarn),
                 human_bytes(static_cast<std::uint64_t>(
                     std::max<std::int64_t>(json_integer(model, "resident_bytes").value_or(0), 0))),
                 std::to_string(json_integer(model, "restarts").value_or(0)),
                 one_line(note_of(model))});
    }
    if (table.empty()) {
      session.note(Text::kCliNoModelsRun);
    } else {
      session.terminal.out.write(table.text(session.terminal.out));
    }
    return kExitOk;
  };
}

// rm and verify: one function of the catalogue for each name.
Action prepare_each(Options& options, Status (*apply)(const std::string&, const std::string&),
                    Text done) {
  const auto names = std::make_shared<std::vector<std::string>>();
  options.positionals("MODEL", *names, Text::kCliModelNameHelp);
  return [names, apply, done](Session& session) -> Result<int> {
    for (const std::string& name : *names) {
      QIAO_TRY(apply(default_models_directory(), name));
      if (!session.json) session.terminal.out.line(session.say(done, {name}));
    }
    if (session.json) session.print_json(Json{{"models", *names}});
    return kExitOk;
  };
}

Action prepare_rm(Options& options) {
  return prepare_each(options, &remove_model, Text::kCliModelRemoved);
}

Status verify_one(const std::string& directory, const std::string& name) {
  return read_bundle_state(directory, name) ? verify_bundle(directory, name)
                                            : verify_model(directory, name);
}

Action prepare_verify(Options& options) {
  return prepare_each(options, &verify_one, Text::kCliModelWhole);
}

}  // namespace

std::vector<Command> model_commands() {
  return {
      {"model pull", Text::kCliModelPull, "qiao model pull bge-small-zh minilm-l6", prepare_pull},
      {"model ls", Text::kCliModelLs, "qiao model ls", prepare_ls},
      {"model ps", Text::kCliModelPs, "qiao model ps", prepare_ps},
      {"model verify", Text::kCliModelVerify, "qiao model verify bge-small-zh", prepare_verify},
      {"model rm", Text::kCliModelRm, "qiao model rm smollm2-135m", prepare_rm}};
}

}  // namespace qiao::cli
