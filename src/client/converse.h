// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <stop_token>
#include <string_view>

#include "client/client.h"

namespace qiao {

// Asks a flow and gives its answer in pieces as it is written, also over a lost connection and a
// server that comes back: text that turns out void is followed by a blank line and the text that
// holds, which alone is in the Answer. A stop ends it with `cancelled`, and the turn with it.
Result<Answer> converse(const Client& client, const Question& question,
                        const std::function<void(std::string_view piece)>& on_piece,
                        const std::stop_token& stop = {});

}  // namespace qiao
