// SPDX-License-Identifier: Apache-2.0
#include "learn/tokenizers/characters.h"

#include <set>
#include <utility>

#include "text/utf8.h"

namespace qiao::learn {

Characters::Characters(std::u32string all) : all_(std::move(all)) {
  for (std::size_t i = 0; i < all_.size(); ++i) ids_.emplace(all_[i], std::int64_t(i));
}

Result<Characters> Characters::of_text(std::string_view text) {
  std::set<char32_t> seen;
  for (std::size_t at = 0; at < text.size();) {
    seen.insert(next_code_point(text, at));
    if (seen.size() > kCharactersMax) {
      return Error{Code::kUnsupported, "the text has more than 65,536 different characters"};
    }
  }
  return Characters(std::u32string(seen.begin(), seen.end()));
}

std::vector<std::int64_t> Characters::encode(std::string_view text) const {
  std::vector<std::int64_t> ids;
  ids.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto found = ids_.find(next_code_point(text, at));
    if (found != ids_.end()) ids.push_back(found->second);
  }
  return ids;
}

std::string Characters::decode(std::int64_t id) const {
  std::string out;
  append_utf8(out, all_.at(static_cast<std::size_t>(id)));
  return out;
}

}  // namespace qiao::learn
