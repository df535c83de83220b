// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/eval_page.h"

#include "base/i18n.h"
#include "learn/evaluation/eval_charts.h"
#include "learn/evaluation/figure_name.h"
#include "learn/evaluation/svg.h"

namespace qiao::learn {
namespace {

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;"
    "color:#1a1a1a;background:#fff}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;"
    "border-bottom:1px solid #e5e5e5}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    "svg{max-width:100%;height:auto}.about{color:#666}";

std::string shown(const Json& value) {
  return escape(figure_text(value));
}

std::string heading(Language language, Text text) {
  return "<h2>" + tr(language, text) + "</h2>\n";
}

std::string value_row(const std::string& name, const std::string& value,
                      const std::string& more = "") {
  return "<tr><td>" + escape(name) + "</td><td class=\"n\">" + value + "</td><td>" + more +
         "</td></tr>\n";
}

// The single figures, each with its interval.
std::string figure_table(const Json& study, Language language) {
  std::string out = "<table>\n";
  const Json intervals = study.value("intervals", Json::object());
  for (const auto& [name, value] : study.items()) {
    if (!value.is_number()) continue;
    std::string within;
    if (const auto found = intervals.find(name); found != intervals.end()) {
      within = short_number((*found)[0].get<double>(), "%.4f") + " – " +
               short_number((*found)[1].get<double>(), "%.4f");
    }
    out += value_row(figure_name(language, name), shown(value), within);
  }
  const Json latency = study.value("latency_ms", Json::object());
  for (const auto& [name, value] : latency.items()) {
    out += value_row(figure_name(language, "latency_ms") + " " + figure_name(language, name),
                     shown(value));
  }
  return out + "</table>\n";
}

// A list of objects with the same keys.
std::string list_table(const Json& list, Language language) {
  if (list.empty()) return "";
  std::string out = "<table><tr>";
  const auto side = [](const Json& value) {
    return std::string(value.is_number() ? " class=\"n\"" : "");
  };
  for (const auto& [name, value] : list.front().items()) {
    out += "<th" + side(value) + ">" + escape(figure_name(language, name)) + "</th>";
  }
  out += "</tr>\n";
  for (const Json& row : list) {
    out += "<tr>";
    for (const auto& item : row.items()) {
      out += "<td" + side(item.value()) + ">" + shown(item.value()) + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

// The single figures of each head.
std::string head_table(const Json& heads, Language language) {
  Json rows = Json::array();
  for (const auto& [name, head] : heads.items()) {
    rows.push_back({{"head", name}});
    for (const auto& [figure, value] : head.items()) {
      if (value.is_number()) rows.back()[figure] = value;
    }
  }
  return list_table(rows, language);
}

std::string against_table(const Json& against, Language language) {
  std::string out = "<table>\n";
  for (const auto& [name, value] : against.items()) {
    if (!value.is_object()) out += value_row(figure_name(language, name), shown(value));
  }
  for (const auto& [name, value] : against["difference"].items()) {
    const Json& within = against["intervals"][name];
    out += value_row(figure_name(language, "difference") + " " + figure_name(language, name),
                     short_number(value.get<double>(), "%+.4f"),
                     short_number(within[0].get<double>(), "%+.4f") + " – " +
                         short_number(within[1].get<double>(), "%+.4f"));
  }
  return out + "</table>\n";
}

}  // namespace

std::string eval_page(const Json& study, const Json& about, Language language) {
  const std::string title = tr(language, Text::kLearnPageTitle);
  std::string out = "<!doctype html>\n<html lang=\"" +
                    std::string(language == Language::kChinese ? "zh" : "en") +
                    "\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                    "content=\"width=device-width\"><title>" +
                    title + "</title><style>" + kStyle + "</style></head><body>\n<h1>" + title +
                    "</h1>\n<p class=\"about\">";
  for (const auto& [name, value] : about.items()) {
    out += escape(figure_name(language, name)) + ": " + shown(value) + "<br>";
  }
  out += "</p>\n" + heading(language, Text::kLearnPageFigures) + figure_table(study, language);
  if (study.contains("heads")) {
    out += heading(language, Text::kLearnPageHeads) + head_table(study["heads"], language);
  }
  if (study.contains("against")) {
    out += heading(language, Text::kLearnPageAgainst) + against_table(study["against"], language);
  }
  if (study.contains("reliability")) {
    out += heading(language, Text::kLearnPageReliability) +
           reliability_chart(study["reliability"], language).svg;
  }
  if (study.contains("confusion")) {
    out += heading(language, Text::kLearnPageConfusion) +
           confusion_chart(study["confusion"], language).svg +
           list_table(study["confused"], language);
  }
  if (study.contains("classes")) {
    out += heading(language, Text::kLearnPageLabels) + label_chart(study["classes"]).svg;
  }
  const Json slices = study.value("slices", Json::object());
  for (const auto& [name, rows] : slices.items()) {
    if (name == "label") continue;  // the labels stand above
    out += "<h2>" + tr(language, Text::kLearnPageSlices, {figure_name(language, name)}) +
           "</h2>\n" + list_table(rows, language);
  }
  return out + "</body></html>\n";
}

}  // namespace qiao::learn
