// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/eval_charts.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/i18n.h"
#include "learn/evaluation/svg.h"

namespace qiao::learn {
namespace {

constexpr const char* kBlue = "#0072B2";
constexpr const char* kGrey = "#888";

std::string label_of(const Json& object, const char* key) {
  return escape(json_string(object, key).value_or(""));
}

std::string box(double x, double y, double width, double height, const std::string& fill,
                const std::string& tip) {
  return "<rect x=\"" + short_number(x) + "\" y=\"" + short_number(y) + "\" width=\"" +
         short_number(width) + "\" height=\"" + short_number(height) + "\" fill=\"" + fill +
         "\"><title>" + tip + "</title></rect>\n";
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

}  // namespace

Chart reliability_chart(const Json& ranges, Language language) {
  constexpr double kSide = 320;
  constexpr double kLeft = 44;
  constexpr double kTop = 12;
  constexpr double kWidth = kSide + kLeft + 20;
  constexpr double kHeight = kSide + kTop + 44;
  std::string out = svg_begin(kWidth, kHeight);
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
  return {out + "</svg>\n", kWidth, kHeight};
}

Chart confusion_chart(const Json& confusion, Language language) {
  const Json& rows = confusion["rows"];
  const Json& names = confusion["labels"];
  const std::vector<std::size_t> shown_labels = heat_labels(rows);
  const double count = static_cast<double>(std::max<std::size_t>(1, shown_labels.size()));
  const double cell = std::clamp(640 / count, 11.0, 44.0);
  constexpr double kLeft = 150;
  constexpr double kTop = 150;
  const double width = kLeft + cell * count + 10;
  const double height = kTop + cell * count + 26;
  std::string out = svg_begin(width, height);
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
  return {out + "</svg>\n", width, height};
}

Chart label_chart(const Json& classes) {
  std::vector<Json> rows(classes.begin(), classes.end());
  std::stable_sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) {
    return a["f1"].get<double>() < b["f1"].get<double>();
  });
  rows.resize(std::min(rows.size(), kBarLabelsMax));
  constexpr double kLine = 18;
  constexpr double kLeft = 190;
  constexpr double kWide = 420;
  constexpr double kWidth = kLeft + kWide + 110;
  const double height = kLine * static_cast<double>(rows.size()) + 8;
  std::string out = svg_begin(kWidth, height);
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
  return {out + "</svg>\n", kWidth, height};
}

}  // namespace qiao::learn
