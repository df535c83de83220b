// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace qiao::model {

// Turns the bytes a model writes, token by token, into text to show: whole UTF-8 characters
// (what is none becomes U+FFFD), nothing of a stop string, nothing of a tool call: from `hide_from`
// on, or all of an answer that begins like a JSON object. An end that could still become one of
// those is held back until it is clear.
//
// One thread at a time. Grows with the answer, which the caller bounds.
class AnswerText {
 public:
  explicit AnswerText(std::vector<std::string> stops, std::string hide_from = {},
                      bool hide_object = false);

  // The piece that may be shown now, perhaps empty. Requires: !stopped().
  std::string push(std::string_view bytes);
  // At the end of the answer: what was still held back.
  std::string finish();

  // A stop string was met: the answer ends before it.
  [[nodiscard]] bool stopped() const { return stopped_; }
  // Everything shown so far.
  [[nodiscard]] const std::string& text() const { return text_; }
  // What was hidden.
  [[nodiscard]] const std::string& hidden() const { return hidden_; }

 private:
  std::string release(std::size_t bytes);
  [[nodiscard]] std::size_t hidden_from() const;

  std::vector<std::string> stops_;
  std::string hide_from_;
  bool hide_object_;     // while nothing else has come
  std::string held_;     // whole characters that are not shown yet
  std::string partial_;  // the beginning of a character
  std::string text_;
  std::string hidden_;
  bool hiding_ = false;
  bool stopped_ = false;
};

}  // namespace qiao::model
