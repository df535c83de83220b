// SPDX-License-Identifier: Apache-2.0
// Searches and indexed text: the expression is words in quotes, joined by AND, and nothing else.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "history/tokens.h"
#include "message/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const void* bytes = data;
  const std::string_view text(static_cast<const char*>(bytes), size);
  QIAO_CHECK(qiao::valid_utf8(qiao::history::index_words(text)));
  const std::string expression = qiao::history::match_expression(text);
  QIAO_CHECK(qiao::valid_utf8(expression));
  std::string_view rest = expression;
  while (!rest.empty()) {
    const std::size_t end = rest.find('"', 1);
    QIAO_CHECK(rest.front() == '"' && end != std::string_view::npos && end > 1);
    rest.remove_prefix(end + 1);
    if (rest.starts_with(" *")) rest.remove_prefix(2);
    if (rest.starts_with(" AND ")) rest.remove_prefix(5);
  }
  return 0;
}
