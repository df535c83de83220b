// SPDX-License-Identifier: Apache-2.0
#include "understand/sentiment_head.h"

#include <algorithm>

#include "understand/builtin_heads.h"

namespace qiao {

Result<SentimentHead> SentimentHead::parse(std::string_view json) {
  QIAO_ASSIGN(LinearHead head, LinearHead::parse(json, kSentiments));
  return SentimentHead(std::move(head));
}

Result<SentimentHead> SentimentHead::builtin(Language language) {
  return parse(language == Language::kChinese ? kSentimentZhJson : kSentimentEnJson);
}

std::optional<Sentiment> SentimentHead::judge(std::span<const float> vector) const {
  if (vector.size() != size()) return std::nullopt;
  const auto values = head_.chances(vector);
  const auto best = std::max_element(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(best - values.begin());
  return Sentiment{std::string(kSentiments[at]), *best};
}

}  // namespace qiao
