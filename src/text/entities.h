// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/span.h"

namespace qiao {

inline constexpr std::size_t kEntitiesMax = 64;
inline constexpr std::size_t kEntityBytesMax = 256 << 10;

// "order_number", "phone", "amount", "date", "email".
const std::vector<std::string>& entity_kinds();

// The entities of `kinds` (empty: all) in `text`, in order, without overlaps: where two could
// stand, the surer pattern wins (a number called an order number, e-mail, phone, amount, date,
// what looks like an order number). Resident IDs and bank cards are no entities (pii.h).
//   order_number  QX20240001, 订单号 12345678, order #A-1077; value in upper case without blanks
//   phone         mobiles and land lines; value: digits, with + and country code where written
//   amount        ¥99, 35.5元, 三百块, $12.50, 20 dollars; value "99.00 CNY"
//   date          2026-01-05, 1月5日, Jan 5 2026 → ISO as far as known; 昨天, next Monday as text
//   email         in lower case
// At most kEntitiesMax; looks at the first kEntityBytesMax bytes.
std::vector<Span> find_entities(std::string_view text, std::span<const std::string> kinds = {});

}  // namespace qiao
