// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/subject_tree.h"
#include "log/record.h"
#include "message/wire.h"

namespace qiao::broker {

// How topics are kept: settings by pattern. Of several that match a subject the most exact one
// holds, alone: token by token from the left, a name is more exact than `*`, that than `>`.
// Part of State; its thread rule holds. At most kPatternsMax (whoever adds one looks).
class TopicSpecs {
 public:
  static constexpr std::size_t kPatternsMax = 1'000;

  TopicSpecs() = default;
  TopicSpecs(TopicSpecs&&) = delete;  // the tree points into specs_

  void set(const TopicSpec& spec);
  void erase(std::string_view pattern);
  // Those that hold for the subject; null: none do.
  [[nodiscard]] const TopicSpec* find(std::string_view subject) const;
  [[nodiscard]] const std::map<std::string, TopicSpec, std::less<>>& all() const { return specs_; }
  [[nodiscard]] bool empty() const { return specs_.empty(); }

  void write(std::string& out) const;
  Status read(WireReader& in);  // into an empty one

 private:
  std::map<std::string, TopicSpec, std::less<>> specs_;
  SubjectTree<const TopicSpec*> tree_;
};

}  // namespace qiao::broker
