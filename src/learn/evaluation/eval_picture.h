// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/json.h"
#include "base/language.h"
#include "base/result.h"

namespace qiao::learn {

// The same as eval_page() in one picture, a PNG file's bytes: the single figures as text, and the
// charts. Letters are drawn with the fonts of the machine.
Result<std::string> eval_picture(const Json& study, const Json& about, Language language);

// An SVG picture as a PNG file's bytes, `scale` pixels for each of its own, on white. By librsvg.
// invalid_argument when it is no SVG; `unsupported` when it would be wider or higher than
// kPictureSideMax.
inline constexpr double kPictureSideMax = 32'000;  // pixels; cairo takes 32,767
Result<std::string> png_of_svg(const std::string& svg, double scale);

}  // namespace qiao::learn
