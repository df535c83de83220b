// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/disk.h"
#include "base/json.h"
#include "base/language.h"

namespace qiao::learn {

// The card as a page for people (Mitchell et al. 2019): what it was made of, with sums and
// licences, how well it does, with what options and seed, by which version. `name`: the bundle's.
std::string model_card(const Json& card, const std::string& name, Language language);

// What card.json in `folder` says; "" when there is none, or it says nothing.
std::string licence_in(const std::string& folder);

// Writes card.json, to which it adds which version of Qiao made it, and README.md into `folder`.
Status write_card(Disk& disk, const std::string& folder, Json card);

}  // namespace qiao::learn
