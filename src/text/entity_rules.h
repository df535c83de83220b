// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "text/candidates.h"

namespace qiao::text {

// The pattern families of find_entities(), each on half-width text. They add candidates of their
// kind and never fail.

void find_amounts(std::string_view text, int rank, std::vector<Candidate>& candidates);
void find_dates(std::string_view text, int rank, std::vector<Candidate>& candidates);
// `named_rank`: numbers that the text calls an order number; `plain_rank`: what looks like one.
void find_order_numbers(std::string_view text, int named_rank, int plain_rank,
                        std::vector<Candidate>& candidates);

}  // namespace qiao::text
