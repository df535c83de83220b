// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace qiao::scenario {

// The words of one line of a scenario, taken from left to right: bare words and "quoted texts".
// The first fault stays; ask finish() at the end. A plain value.
class Words {
 public:
  static Result<Words> split(std::string_view line);

  [[nodiscard]] bool empty() const { return at_ == words_.size(); }
  // The next bare word if it is `word`.
  bool take_if(std::string_view word);
  std::string word(std::string_view what);  // a bare word
  std::string text();                       // a quoted text
  std::optional<std::string> text_if();     // a quoted text if one is next
  std::uint64_t number(std::string_view what);
  std::int64_t duration_ms();  // 500ms, 5s, 2m, 1h

  void fail(std::string fault);
  // `invalid_argument` when something was wrong or words are left over.
  [[nodiscard]] Status finish();
  [[nodiscard]] bool ok() const { return !fault_; }

 private:
  struct Word {
    std::string text;
    bool quoted = false;
  };
  const Word* next(bool quoted);

  std::vector<Word> words_;
  std::size_t at_ = 0;
  std::optional<std::string> fault_;
};

}  // namespace qiao::scenario
