// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace qiao {

// How much a term says about what a text is about, in (0,1]: 1 a word, a number or a pair of Han
// characters; less for a single Han character (its pairs say it better) and for the words that
// only hold sentences together. Takes the place of the statistics that a short list of examples
// does not have.
double share_of_term(std::string_view term);

}  // namespace qiao
