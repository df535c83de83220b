// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/curve_chart.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

namespace qiao::learn {
namespace {

constexpr double kWidth = 640;
constexpr double kHeight = 400;
constexpr double kMargin = 56;
// Colours that differ also for people who do not see red and green apart (Wong 2011).
constexpr std::array<const char*, 6> kColours = {"#0072B2", "#D55E00", "#009E73",
                                                 "#CC79A7", "#E69F00", "#56B4E9"};

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  [[nodiscard]] double share(double value) const {
    return high > low ? (value - low) / (high - low) : 0.5;
  }
};

std::string text_at(double x, double y, const std::string& anchor, const std::string& text,
                    const std::string& colour = "#333") {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor +
         "\" fill=\"" + colour + "\">" + text + "</text>\n";
}

}  // namespace

std::string curve_chart(const std::vector<Curve>& curves, const std::string& x_name,
                        const std::string& y_name) {
  Range xs, ys;
  for (const Curve& curve : curves) {
    for (const auto& [x, y] : curve.points) xs.add(x), ys.add(y);
  }
  const double bottom = kHeight - kMargin;
  const double right = kWidth - kMargin;
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 400\" " +
                    std::string("font-family=\"sans-serif\" font-size=\"12\">\n") +
                    "<rect width=\"640\" height=\"400\" fill=\"#fff\"/>\n" +
                    "<path d=\"M56 56V344H584\" fill=\"none\" stroke=\"#333\"/>\n";
  out += text_at(kMargin, bottom + 18, "middle", number(xs.low));
  out += text_at(right, bottom + 18, "middle", number(xs.high));
  out += text_at((kMargin + right) / 2, bottom + 36, "middle", x_name);
  out += text_at(kMargin - 6, bottom, "end", number(ys.low));
  out += text_at(kMargin - 6, kMargin + 4, "end", number(ys.high));
  out += text_at(kMargin, kMargin - 16, "middle", y_name);
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const std::string colour = kColours[i % kColours.size()];
    out += "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" + colour + "\" points=\"";
    for (const auto& [x, y] : curves[i].points) {
      out += number(kMargin + xs.share(x) * (right - kMargin)) + "," +
             number(bottom - ys.share(y) * (bottom - kMargin)) + " ";
    }
    out += "\"/>\n";
    out += text_at(right, kMargin + 16 * double(i), "end", curves[i].name, colour);
  }
  return out + "</svg>\n";
}

std::string curve_table(const std::vector<Curve>& curves, const std::string& x_name,
                        const std::string& y_name) {
  std::string out = "name," + x_name + "," + y_name + "\n";
  for (const Curve& curve : curves) {
    for (const auto& [x, y] : curve.points) {
      out += curve.name + "," + number(x) + "," + number(y) + "\n";
    }
  }
  return out;
}

}  // namespace qiao::learn
