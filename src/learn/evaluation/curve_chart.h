// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace qiao::learn {

struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x rising
};

// The curves as an SVG picture with axes, their ends numbered and a legend.
// Requires: at least one point in all.
std::string curve_chart(const std::vector<Curve>& curves, const std::string& x_name,
                        const std::string& y_name);

// `name,x,y`, one line a point, with a header.
std::string curve_table(const std::vector<Curve>& curves, const std::string& x_name,
                        const std::string& y_name);

}  // namespace qiao::learn
