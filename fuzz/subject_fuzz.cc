// SPDX-License-Identifier: Apache-2.0
// Subjects and patterns, one on each line: what is taken matches itself and the widest pattern, and
// a pattern that matches itself literally is a subject.
#include <cstdint>

#include "fuzz_input.h"
#include "message/subject.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = qiao::fuzz::text_of(data, size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view subject = text.substr(0, end);
  const std::string_view pattern = text.substr(std::min(end + 1, text.size()));
  const bool is_subject = qiao::validate_subject(subject).has_value();
  const bool is_good_pattern = qiao::validate_pattern(pattern).has_value();
  if (is_subject) {
    QIAO_CHECK(subject.size() <= qiao::kSubjectBytesMax);
    QIAO_CHECK(!qiao::is_pattern(subject));
    QIAO_CHECK(qiao::validate_pattern(subject).has_value());
    QIAO_CHECK(qiao::matches(subject, subject));
    QIAO_CHECK(qiao::matches(">", subject));
  }
  if (!is_subject || !is_good_pattern) return 0;
  const bool matched = qiao::matches(pattern, subject);
  if (!qiao::is_pattern(pattern)) QIAO_CHECK(matched == (pattern == subject));
  return 0;
}
