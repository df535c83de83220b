// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/yaml.h"
#include "flow/config/localized.h"

namespace qiao {

// One answered question of a knowledge file. A plain value.
struct KnowledgeEntry {
  std::string id;
  std::string topic;
  std::vector<std::string> questions_zh;
  std::vector<std::string> questions_en;
  Localized answer;
  std::string file;  // where it was written, for messages
};

inline constexpr std::size_t kKnowledgeEntriesMax = 5'000;
inline constexpr std::size_t kKnowledgeAnswerBytesMax = 8 << 10;

// The entries of one file: a list of { id, topic, questions: {zh: […], en: […]}, answer }.
// All faults at once, each with file and line.
Result<std::vector<KnowledgeEntry>> load_knowledge(const std::string& path);

}  // namespace qiao
