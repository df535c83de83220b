// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.h"
#include "flow/config/localized.h"

namespace qiao {

// Collects the faults of a set of YAML files, so that a person sees all of them at once.
// One thread.
class Faults {
 public:
  static constexpr std::size_t kShownMax = 100;

  void at(const YamlNode& node, std::string_view message);
  // The lines of a failed status, e.g. of YamlReader::finish().
  void take(const Status& status);
  [[nodiscard]] bool empty() const { return lines_.empty(); }
  // All faults, one a line, as one invalid_argument; or success.
  [[nodiscard]] Status finish() const;

 private:
  std::vector<std::string> lines_;
};

// A text written once for both languages or as { zh: …, en: … }; empty when `node` is null.
Localized read_localized(const YamlNode* node, Faults& faults);

// A list of texts (one scalar counts as a list of one); empty when `node` is null.
std::vector<std::string> read_texts(const YamlNode* node, std::size_t count_max, Faults& faults);

}  // namespace qiao
