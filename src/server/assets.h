// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// Files of this folder, compiled in (CMakeLists.txt makes assets.cc from them).
namespace qiao::server::assets {

std::string_view openapi();
std::string_view page_html();
std::string_view page_css();
std::string_view page_js();

}  // namespace qiao::server::assets
