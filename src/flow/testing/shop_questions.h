// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <fstream>
#include <future>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "flow/config/flow_config.h"
#include "flow/config/knowledge.h"

namespace qiao::testing {

// How well the shop's entries are found for customers' questions (testdata/shop_questions.tsv).
struct Found {
  int questions = 0;  // that an entry answers
  int first = 0;      // of them: the first hit answers it
  int among = 0;      // one of the hits does
  int others = 0;     // that no entry answers
  int answered = 0;   // of them: an entry leads clearly all the same
};

inline Found find_shop_entries(Language language, Encoders encoders) {
  const auto config = load_flow(QIAO_EXAMPLES "/customer-service").value();
  const KnowledgeConfig& knowledge = config.knowledge;
  const auto base = KnowledgeBase::make(knowledge, std::move(encoders)).value();
  Found found;
  std::ifstream file(QIAO_FLOW_TESTDATA "/shop_questions.tsv");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find('\t');
    const std::size_t second = line.find('\t', first + 1);
    if (line.starts_with("#") || second == std::string::npos) continue;
    if (line.substr(0, first) != (language == Language::kChinese ? "zh" : "en")) continue;
    const std::string wanted = "," + line.substr(first + 1, second - first - 1) + ",";
    std::promise<std::vector<KnowledgeHit>> asked;
    base->find(line.substr(second + 1),
               [&asked](std::vector<KnowledgeHit> hits) { asked.set_value(std::move(hits)); });
    const std::vector<KnowledgeHit> hits = asked.get_future().get();
    const auto right = [&wanted](const KnowledgeHit& hit) {
      return wanted.find("," + hit.entry->id + ",") != std::string::npos;
    };
    if (wanted == ",-,") {
      ++found.others;
      const ClearConfig clear = knowledge.clear.value_or(ClearConfig{});
      found.answered +=
          !hits.empty() && hits[0].score >= clear.score && hits[0].ahead >= clear.ahead;
      continue;
    }
    ++found.questions;
    found.first += !hits.empty() && right(hits[0]);
    found.among += std::any_of(hits.begin(), hits.end(), right);
  }
  while (base.use_count() > 1) std::this_thread::yield();  // the last callback ends on its thread
  std::cout << "of " << found.questions << " questions the first hit answers " << found.first
            << ", one of them " << found.among << "; of " << found.others
            << " others an entry leads clearly for " << found.answered << "\n";
  return found;
}

}  // namespace qiao::testing
