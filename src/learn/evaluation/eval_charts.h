// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "base/json.h"
#include "base/language.h"

namespace qiao::learn {

inline constexpr std::size_t kHeatLabelsMax = 60;  // of a confusion map; the most confused ones
inline constexpr std::size_t kBarLabelsMax = 200;

// An SVG picture and its size in pixels.
struct Chart {
  std::string svg;
  double width = 0;
  double height = 0;
};

// Of a study()'s `reliability`: accuracy over confidence; the diagonal is a model that knows how
// sure it may be.
Chart reliability_chart(const Json& ranges, Language language);
// Of its `confusion`: what was expected (rows) and given (columns).
Chart confusion_chart(const Json& confusion, Language language);
// Of its `classes`: F1 of each label, the worst first.
Chart label_chart(const Json& classes);

}  // namespace qiao::learn
