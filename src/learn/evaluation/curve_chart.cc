// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/curve_chart.h"

#include <algorithm>
#include <array>
#include <limits>

#include "learn/evaluation/svg.h"

namespace qiao::learn {
namespace {

constexpr double kWidth = 640;
constexpr double kHeight = 400;
constexpr double kMargin = 56;
// Colours that differ also for people who do not see red and green apart (Wong 2011).
constexpr std::array<const char*, 6> kColours = {"#0072B2", "#D55E00", "#009E73",
                                                 "#CC79A7", "#E69F00", "#56B4E9"};

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
  out += svg_text(kMargin, bottom + 18, "middle", short_number(xs.low));
  out += svg_text(right, bottom + 18, "middle", short_number(xs.high));
  out += svg_text((kMargin + right) / 2, bottom + 36, "middle", escape(x_name));
  out += svg_text(kMargin - 6, bottom, "end", short_number(ys.low));
  out += svg_text(kMargin - 6, kMargin + 4, "end", short_number(ys.high));
  out += svg_text(kMargin, kMargin - 16, "middle", escape(y_name));
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const std::string colour = kColours[i % kColours.size()];
    out += "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" + colour + "\" points=\"";
    for (const auto& [x, y] : curves[i].points) {
      out += short_number(kMargin + xs.share(x) * (right - kMargin)) + "," +
             short_number(bottom - ys.share(y) * (bottom - kMargin)) + " ";
    }
    out += "\"/>\n";
    out += svg_text(right, kMargin + 16 * double(i), "end", escape(curves[i].name),
                    " fill=\"" + colour + "\"");
  }
  return out + "</svg>\n";
}

std::string curve_table(const std::vector<Curve>& curves, const std::string& x_name,
                        const std::string& y_name) {
  std::string out = "name," + x_name + "," + y_name + "\n";
  for (const Curve& curve : curves) {
    for (const auto& [x, y] : curve.points) {
      out += curve.name + "," + short_number(x) + "," + short_number(y) + "\n";
    }
  }
  return out;
}

}  // namespace qiao::learn
