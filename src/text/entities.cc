// SPDX-License-Identifier: Apache-2.0
#include "text/entities.h"

#include <algorithm>

#include "text/candidates.h"
#include "text/entity_rules.h"
#include "text/pii.h"

namespace qiao {
namespace {

using text::Candidate;

// Ranks: which pattern is believed where two could stand.
constexpr int kNamedOrder = 0;
constexpr int kEmail = 1;
constexpr int kSecret = 2;  // resident ID, bank card: keeps others off, then dropped
constexpr int kPhone = 3;
constexpr int kAmount = 4;
constexpr int kDate = 5;
constexpr int kPlainOrder = 6;

std::string_view first_bytes(std::string_view text) {
  if (text.size() <= kEntityBytesMax) return text;
  std::size_t size = kEntityBytesMax;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  return text.substr(0, size);
}

// PII without a kind of its own here.
void find_secrets(std::string_view half, std::vector<Candidate>& candidates) {
  for (Span& span : find_pii(half)) {
    if (span.kind == "resident_id" || span.kind == "bank_card")
      candidates.push_back({kSecret, "", std::move(span.value), span.begin, span.end});
  }
}

}  // namespace

const std::vector<std::string>& entity_kinds() {
  static const std::vector<std::string> kKinds = {"order_number", "phone", "amount", "date",
                                                  "email"};
  return kKinds;
}

std::vector<Span> find_entities(std::string_view text, std::span<const std::string> kinds) {
  text = first_bytes(text);
  const HalfWidth half = half_width(text);
  std::vector<Candidate> candidates;
  text::find_order_numbers(half.text, kNamedOrder, kPlainOrder, candidates);
  text::find_emails(half.text, kEmail, candidates);
  find_secrets(half.text, candidates);
  text::find_phones(half.text, true, kPhone, candidates);
  text::find_amounts(half.text, kAmount, candidates);
  text::find_dates(half.text, kDate, candidates);
  std::vector<Span> spans = text::settle(std::move(candidates), half, text);
  std::erase_if(spans, [&](const Span& span) {
    const bool asked =
        kinds.empty() || std::find(kinds.begin(), kinds.end(), span.kind) != kinds.end();
    return span.kind.empty() || !asked;
  });
  if (spans.size() > kEntitiesMax) spans.resize(kEntitiesMax);
  return spans;
}

}  // namespace qiao
