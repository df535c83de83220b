// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/eval_page.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/i18n.h"
#include "learn/evaluation/svg.h"

namespace qiao::learn {
namespace {

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;"
    "color:#1a1a1a;background:#fff}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;"
    "border-bottom:1px solid #e5e5e5}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    "svg{max-width:100%;height:auto}.about{color:#666}";
constexpr const char* kBlue = "#0072B2";
constexpr const char* kGrey = "#888";

std::string shown(const Json& value) {
  if (value.is_string()) return escape(value.get_ref<const std::string&>());
  if (value.is_number_float()) return short_number(value.get<double>(), "%.4f");
  return escape(dump_json(value));
}

std::string label_of(const Json& object, const char* key) {
  return escape(json_string(object, key).value_or(""));
}

std::string box(double x, double y, double width, double height, const std::string& fill,
                const std::string& tip) {
  return "<rect x=\"" + short_number(x) + "\" y=\"" + short_number(y) + "\" width=\"" +
         short_number(width) + "\" height=\"" + short_number(height) + "\" fill=\"" + fill +
         "\"><title>" + tip + "</title></rect>\n";
}

// Accuracy over confidence; the diagonal is a model that knows how sure it may be.
std::string reliability_chart(const Json& ranges, Language language) {
  constexpr double kSide = 320;
  constexpr double kLeft = 44;
  constexpr double kTop = 12;
  std::string out = svg_begin(kSide + kLeft + 20, kSide + kTop + 44);
  const double bottom = kTop + kSide;
  for (int i = 0; i <= 4; ++i) {
    const double share = i / 4.0;
    const double y = bottom - share * kSide;
    out += "<path d=\"M" + short_number(kLeft) + " " + short_number(y) + "h" + short_number(kSide) +
           "\" stroke=\"#e5e5e5\"/>\n";
    out += svg_text(kLeft - 6, y + 4, "end", short_number(share));
    out += svg_text(kLeft + share * kSide, bottom + 16, "middle", short_number(share));
  }
  out += "<path d=\"M" + short_number(kLeft) + " " + short_number(bottom) + "L" +
         short_number(kLeft + kSide) + " " + short_number(kTop) + "\" stroke=\"" + kGrey +
         "\" stroke-dasharray=\"4\"/>\n";
  std::size_t most = 1;
  for (const Json& range : ranges) most = std::max(most, range["n"].get<std::size_t>());
  for (const Json& range : ranges) {
    const double from = range["from"].get<double>();
    const double width = range["to"].get<double>() - from;
    const double accuracy = range["accuracy"].get<double>();
    const double strength =
        0.25 + 0.75 * std::sqrt(range["n"].get<double>() / static_cast<double>(most));
    const std::string tip = short_number(range["confidence"].get<double>(), "%.3f") + " → " +
                            short_number(accuracy, "%.3f") + " (" + dump_json(range["n"]) + ")";
    out += "<g opacity=\"" + short_number(strength) + "\">" +
           box(kLeft + from * kSide + 1, bottom - accuracy * kSide, width * kSide - 2,
               std::max(1.0, accuracy * kSide), kBlue, tip) +
           "</g>";
  }
  out +=
      svg_text(kLeft + kSide / 2, bottom + 36, "middle", tr(language, Text::kLearnPageConfidence));
  return out + "</svg>\n";
}

// The labels that are confused most, in their own order.
std::vector<std::size_t> heat_labels(const Json& rows) {
  const std::size_t labels = rows.size();
  std::vector<std::size_t> wrong(labels, 0);
  std::vector<std::size_t> seen(labels, 0);
  for (std::size_t e = 0; e < labels; ++e) {
    for (std::size_t g = 0; g < labels; ++g) {
      const auto count = rows[e][g].get<std::size_t>();
      seen[e] += count;
      seen[g] += count;
      if (e == g) continue;
      wrong[e] += count;
      wrong[g] += count;
    }
  }
  std::vector<std::size_t> order(labels);
  std::iota(order.begin(), order.end(), 0);
  order.erase(
      std::remove_if(order.begin(), order.end(), [&](std::size_t i) { return seen[i] == 0; }),
      order.end());
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return wrong[a] > wrong[b]; });
  order.resize(std::min(order.size(), kHeatLabelsMax));
  std::sort(order.begin(), order.end());
  return order;
}

std::string heat_colour(double share, bool right) {
  // From white to blue where it is right, to orange where it is wrong.
  const double low[] = {255, 255, 255};
  const double blue[] = {0, 114, 178};
  const double orange[] = {213, 94, 0};
  const double* high = right ? blue : orange;
  std::string out = "rgb(";
  for (int i = 0; i < 3; ++i) {
    out += short_number(std::round(low[i] + (high[i] - low[i]) * std::sqrt(share)), "%.0f");
    out += i < 2 ? "," : ")";
  }
  return out;
}

std::string confusion_chart(const Json& confusion, Language language) {
  const Json& rows = confusion["rows"];
  const Json& names = confusion["labels"];
  const std::vector<std::size_t> shown_labels = heat_labels(rows);
  const double count = static_cast<double>(std::max<std::size_t>(1, shown_labels.size()));
  const double cell = std::clamp(640 / count, 11.0, 44.0);
  constexpr double kLeft = 150;
  constexpr double kTop = 150;
  std::string out = svg_begin(kLeft + cell * count + 10, kTop + cell * count + 26);
  for (std::size_t i = 0; i < shown_labels.size(); ++i) {
    const Json& row = rows[shown_labels[i]];
    const std::string expected = escape(names[shown_labels[i]].get_ref<const std::string&>());
    const double middle = (static_cast<double>(i) + 0.5) * cell;
    out += svg_text(kLeft - 5, kTop + middle + 4, "end", expected);
    out += "<g transform=\"translate(" + short_number(kLeft + middle + 4) + " " +
           short_number(kTop - 5) + ") rotate(-90)\">" + svg_text(0, 0, "start", expected) + "</g>";
    double sum = 0;
    for (const Json& one : row) sum += one.get<double>();
    for (std::size_t j = 0; j < shown_labels.size(); ++j) {
      const double rows_here = row[shown_labels[j]].get<double>();
      if (rows_here == 0) continue;
      const std::string given = escape(names[shown_labels[j]].get_ref<const std::string&>());
      out += box(kLeft + static_cast<double>(j) * cell, kTop + static_cast<double>(i) * cell,
                 cell - 1, cell - 1, heat_colour(rows_here / sum, i == j),
                 expected + " → " + given + ": " + short_number(rows_here, "%.0f"));
      if (cell < 24) continue;
      const bool dark = rows_here / sum > 0.4;
      out += svg_text(kLeft + (static_cast<double>(j) + 0.5) * cell, kTop + middle + 4, "middle",
                      short_number(rows_here, "%.0f"),
                      dark ? " fill=\"#fff\" pointer-events=\"none\"" : " pointer-events=\"none\"");
    }
  }
  out += "<rect x=\"" + short_number(kLeft) + "\" y=\"" + short_number(kTop) + "\" width=\"" +
         short_number(cell * count) + "\" height=\"" + short_number(cell * count) +
         "\" fill=\"none\" stroke=\"#ccc\"/>\n";
  out += svg_text(kLeft, kTop + cell * count + 18, "start", tr(language, Text::kLearnPageAxes));
  return out + "</svg>\n";
}

// F1 of each label, the worst first.
std::string label_chart(Json classes) {
  std::vector<Json> rows(classes.begin(), classes.end());
  std::stable_sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) {
    return a["f1"].get<double>() < b["f1"].get<double>();
  });
  rows.resize(std::min(rows.size(), kBarLabelsMax));
  constexpr double kLine = 18;
  constexpr double kLeft = 190;
  constexpr double kWide = 420;
  std::string out = svg_begin(kLeft + kWide + 110, kLine * static_cast<double>(rows.size()) + 8);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Json& row = rows[i];
    const double y = kLine * static_cast<double>(i) + 2;
    const double f1 = row["f1"].get<double>();
    out += svg_text(kLeft - 6, y + 12, "end", label_of(row, "label"));
    out += box(kLeft, y, kWide, kLine - 4, "#f2f2f2", "");
    out += box(kLeft, y, std::max(1.0, f1 * kWide), kLine - 4, kBlue,
               "precision " + short_number(row["precision"].get<double>(), "%.3f") + ", recall " +
                   short_number(row["recall"].get<double>(), "%.3f"));
    out += svg_text(kLeft + kWide + 6, y + 12, "start",
                    short_number(f1, "%.3f") + " (" + dump_json(row["n"]) + ")");
  }
  return out + "</svg>\n";
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
std::string figure_table(const Json& study) {
  std::string out = "<table>\n";
  const Json intervals = study.value("intervals", Json::object());
  for (const auto& [name, value] : study.items()) {
    if (!value.is_number()) continue;
    std::string within;
    if (const auto found = intervals.find(name); found != intervals.end()) {
      within = short_number((*found)[0].get<double>(), "%.4f") + " – " +
               short_number((*found)[1].get<double>(), "%.4f");
    }
    out += value_row(name, shown(value), within);
  }
  const Json latency = study.value("latency_ms", Json::object());
  for (const auto& [name, value] : latency.items()) {
    out += value_row("latency_ms " + name, shown(value));
  }
  return out + "</table>\n";
}

// A list of objects with the same keys.
std::string list_table(const Json& list) {
  if (list.empty()) return "";
  std::string out = "<table><tr>";
  const auto side = [](const Json& value) {
    return std::string(value.is_number() ? " class=\"n\"" : "");
  };
  for (const auto& [name, value] : list.front().items()) {
    out += "<th" + side(value) + ">" + escape(name) + "</th>";
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
std::string head_table(const Json& heads) {
  Json rows = Json::array();
  for (const auto& [name, head] : heads.items()) {
    rows.push_back({{"head", name}});
    for (const auto& [figure, value] : head.items()) {
      if (value.is_number()) rows.back()[figure] = value;
    }
  }
  return list_table(rows);
}

std::string against_table(const Json& against) {
  std::string out = "<table>\n";
  for (const auto& [name, value] : against.items()) {
    if (!value.is_object()) out += value_row(name, shown(value));
  }
  for (const auto& [name, value] : against["difference"].items()) {
    const Json& within = against["intervals"][name];
    out += value_row("difference of " + name, short_number(value.get<double>(), "%+.4f"),
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
    out += escape(name) + ": " + shown(value) + "<br>";
  }
  out += "</p>\n" + heading(language, Text::kLearnPageFigures) + figure_table(study);
  if (study.contains("heads")) {
    out += heading(language, Text::kLearnPageHeads) + head_table(study["heads"]);
  }
  if (study.contains("against")) {
    out += heading(language, Text::kLearnPageAgainst) + against_table(study["against"]);
  }
  if (study.contains("reliability")) {
    out += heading(language, Text::kLearnPageReliability) +
           reliability_chart(study["reliability"], language);
  }
  if (study.contains("confusion")) {
    out += heading(language, Text::kLearnPageConfusion) +
           confusion_chart(study["confusion"], language) + list_table(study["confused"]);
  }
  if (study.contains("classes")) {
    out += heading(language, Text::kLearnPageLabels) + label_chart(study["classes"]);
  }
  const Json slices = study.value("slices", Json::object());
  for (const auto& [name, rows] : slices.items()) {
    if (name == "label") continue;  // the labels stand above
    out += "<h2>" + tr(language, Text::kLearnPageSlices, {name}) + "</h2>\n" + list_table(rows);
  }
  return out + "</body></html>\n";
}

}  // namespace qiao::learn
