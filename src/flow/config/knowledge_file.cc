// SPDX-License-Identifier: Apache-2.0
#include "flow/config/knowledge_file.h"

#include <set>
#include <utility>

#include "flow/config/faults.h"

namespace qiao {
namespace {

constexpr std::size_t kQuestionsMax = 64;  // of one entry and language

void read_questions(const YamlNode& node, KnowledgeEntry& entry, Faults& faults) {
  if (node.kind != YamlNode::Kind::kMap) {
    faults.at(node, "questions are written as { zh: [ … ], en: [ … ] }");
    return;
  }
  YamlReader reader(node);
  entry.questions_zh = read_texts(reader.get_node("zh"), kQuestionsMax, faults);
  entry.questions_en = read_texts(reader.get_node("en"), kQuestionsMax, faults);
  faults.take(reader.finish());
}

KnowledgeEntry read_entry(const YamlNode& node, Faults& faults) {
  KnowledgeEntry entry;
  entry.file = node.file;
  if (node.kind != YamlNode::Kind::kMap) {
    faults.at(node, "an entry is a map: { id, topic, questions, answer }");
    return entry;
  }
  YamlReader reader(node);
  entry.id = reader.get_string("id").value_or("");
  entry.topic = reader.get_string("topic").value_or("");
  if (const YamlNode* questions = reader.get_node("questions")) {
    read_questions(*questions, entry, faults);
  }
  entry.answer = read_localized(reader.get_node("answer"), faults);
  faults.take(reader.finish());

  if (entry.id.empty()) faults.at(node, "the entry has no id");
  if (entry.answer.empty()) faults.at(node, "the entry " + entry.id + " has no answer");
  if (entry.questions_zh.empty() && entry.questions_en.empty()) {
    faults.at(node, "the entry " + entry.id + " has no questions");
  }
  if (std::max(entry.answer.zh.size(), entry.answer.en.size()) > kKnowledgeAnswerBytesMax) {
    faults.at(node, "the answer of " + entry.id + " is longer than " +
                        std::to_string(kKnowledgeAnswerBytesMax) + " bytes");
  }
  return entry;
}

}  // namespace

Result<std::vector<KnowledgeEntry>> load_knowledge(const std::string& path) {
  QIAO_ASSIGN(const YamlNode root, load_yaml(path));
  Faults faults;
  std::vector<KnowledgeEntry> entries;
  if (root.kind != YamlNode::Kind::kList) {
    faults.at(root, "a knowledge file is a list of entries: - { id, topic, questions, answer }");
  }
  std::set<std::string> ids;
  for (const YamlNode& item : root.items) {
    KnowledgeEntry entry = read_entry(item, faults);
    if (!entry.id.empty() && !ids.insert(entry.id).second) {
      faults.at(item, "the id " + entry.id + " is used twice in this file");
    }
    entries.push_back(std::move(entry));
  }
  QIAO_TRY(faults.finish());
  return entries;
}

}  // namespace qiao
