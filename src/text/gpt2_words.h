// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

namespace qiao {

// The pieces of a text in which GPT-2's byte-level BPE looks for tokens (Radford et al. 2019, the
// pattern of its encoder): a run of letters, of digits or of signs, each with one blank before it;
// the endings 's 't 're 've 'm 'll 'd; what is left of white space. All bytes of the text, in
// order; bytes that are no UTF-8 count as signs. Pure, thread-safe, linear.
std::vector<std::string_view> gpt2_words(std::string_view text);

}  // namespace qiao
