// SPDX-License-Identifier: Apache-2.0
#include "learn/files/model_card.h"

#include <cstdio>
#include <ctime>
#include <filesystem>

#include "base/i18n.h"
#include "learn/files/json_file.h"

#ifndef QIAO_VERSION
#define QIAO_VERSION "unknown"
#endif
#ifndef QIAO_COMMIT
#define QIAO_COMMIT ""
#endif

namespace qiao::learn {
namespace {

std::string shown(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number_float()) return dump_json(value);
  char text[48];
  std::snprintf(text, sizeof text, "%.6g", value.get<double>());
  return text;
}

// A cell may hold no line's end and no bar.
std::string cell(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '|') c = ' ';
  }
  return text;
}

// One row for each single value; what is within an object is named after it.
void add_rows(const Json& object, const std::string& before, std::string& out) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_object()) {
      add_rows(value, before + name + " ", out);
    } else if (!value.is_array() && !value.is_null()) {
      out += "| " + cell(before + name) + " | " + cell(shown(value)) + " |\n";
    }
  }
}

std::string section(Language language, Text title, const Json& object) {
  std::string rows;
  if (object.is_object()) add_rows(object, "", rows);
  return rows.empty() ? "" : "\n## " + tr(language, title) + "\n| | |\n| --- | --- |\n" + rows;
}

std::string day_of(const Json& card) {
  const std::time_t seconds = json_integer(card, "made_ms").value_or(0) / 1000;
  std::tm day{};
  ::gmtime_r(&seconds, &day);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d", &day);
  return text;
}

// The figures on held-out data, wherever a trainer notes them.
Json figures_of(const Json& card) {
  Json figures = card.value("dev", Json::object());
  for (const char* key : {"validation_loss", "base_loss", "dev_loss", "weights"}) {
    if (card.contains(key)) figures[key] = card[key];
  }
  if (card.contains("shrunk")) figures["shrunk"] = card["shrunk"];
  return figures;
}

}  // namespace

std::string model_card(const Json& card, const std::string& name, Language language) {
  const Json options = card.value("options", Json::object());
  const std::string licence = json_string(card, "licence").value_or("");
  const std::string version = std::string(QIAO_VERSION) +
                              (std::string_view(QIAO_COMMIT).empty() ? "" : " (" QIAO_COMMIT ")");
  Json about = {{"kind", card.value("kind", "")}};
  if (card.contains("task")) about["task"] = card["task"];
  about["licence"] = licence.empty() ? tr(language, Text::kLearnCardNoLicence) : licence;
  std::string out = "# " + name + "\n" +
                    tr(language, Text::kLearnCardMade,
                       {version, day_of(card), shown(options.value("seed", Json("–")))}) +
                    "\n";
  out += section(language, Text::kLearnCardAbout, about);
  out += section(language, Text::kLearnCardBase, card.value("base", Json()));
  out += section(language, Text::kLearnCardData, card.value("data", Json()));
  out += section(language, Text::kLearnCardFigures, figures_of(card));
  out += section(language, Text::kLearnCardOptions, options);
  return out;
}

std::string licence_in(const std::string& folder) {
  const Json card = read_json_file(folder + "/card.json").value_or(Json());
  return json_string(card, "licence").value_or("");
}

Status write_card(Disk& disk, const std::string& folder, Json card) {
  card["made_by"] = {{"version", QIAO_VERSION}, {"commit", QIAO_COMMIT}};
  std::string name = std::filesystem::path(folder).filename().string();
  for (const std::string_view end : {".partial", ".unmeasured"}) {
    if (name.ends_with(end)) name.resize(name.size() - end.size());
  }
  QIAO_TRY(write_file_atomic(disk, folder + "/README.md",
                             model_card(card, name, environment_language())));
  return write_json_file(disk, folder + "/card.json", card);
}

}  // namespace qiao::learn
