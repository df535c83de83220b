// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/span.h"

namespace qiao {

// Personal data in a text, in order, without overlaps. Kinds: "phone" (mainland mobiles; numbers
// written +… or as 555-123-4567), "resident_id" (18 digits with the checksum of ISO 7064
// MOD 11-2 and a possible birth date), "bank_card" (13–19 digits, an issuer's first digits and
// length, Luhn), "email". Digits may be full width, grouped by blanks or hyphens. `value` compares
// equal however it was written. Linear in the text; the whole text is looked at.
std::vector<Span> find_pii(std::string_view text);

// The text with each find masked so that people still recognise their own: 138****5678,
// a***@example.com.
std::string mask_pii(std::string_view text);

// The two checks, on digits only (the ID may end in X).
bool valid_resident_id(std::string_view id);
bool valid_bank_card(std::string_view digits);

}  // namespace qiao
