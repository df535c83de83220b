// SPDX-License-Identifier: Apache-2.0
// The knowledge of a flow.yaml.
#include <algorithm>
#include <filesystem>

#include "flow/config/checked_reader.h"
#include "flow/config/flow_parts.h"

namespace qiao::flow {
namespace {

constexpr std::size_t kKnowledgeTopMax = 20;
constexpr std::size_t kKnowledgeFilesMax = 64;

}  // namespace

std::vector<std::string> PartReader::glob(const YamlNode& node, const std::string& pattern) {
  const std::filesystem::path path(inside(node, pattern));
  if (path.empty()) return {};
  const std::string name = path.filename().string();
  const std::size_t star = name.find('*');
  if (std::count(pattern.begin(), pattern.end(), '*') == 0) return {path.string()};
  if (star == std::string::npos || std::count(pattern.begin(), pattern.end(), '*') > 1) {
    faults.at(node, "\"" + pattern + "\": one * is allowed, in the file's name");
    return {};
  }
  const std::string head = name.substr(0, star);
  const std::string tail = name.substr(star + 1);
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path.parent_path(), error)) {
    const std::string candidate = entry.path().filename().string();
    if (candidate.size() >= head.size() + tail.size() && candidate.starts_with(head) &&
        candidate.ends_with(tail)) {
      found.push_back(entry.path().string());
    }
  }
  std::sort(found.begin(), found.end());
  if (found.empty()) faults.at(node, "no file matches \"" + pattern + "\"");
  return found;
}

void PartReader::add_knowledge(const YamlNode& files, const std::string& path,
                               KnowledgeConfig& knowledge) {
  auto entries = load_knowledge(path);
  if (!entries) return faults.take(entries.error());
  for (KnowledgeEntry& entry : *entries) {
    const auto twice =
        std::find_if(knowledge.entries.begin(), knowledge.entries.end(),
                     [&](const KnowledgeEntry& other) { return other.id == entry.id; });
    if (twice != knowledge.entries.end()) {
      faults.at(files, "the id " + entry.id + " is in " + twice->file + " and in " + entry.file);
    }
    knowledge.entries.push_back(std::move(entry));
  }
}

std::optional<ClearConfig> PartReader::read_clear(const YamlNode& node) {
  ClearConfig clear;
  if (!is_map(node, "clear", faults)) return std::nullopt;
  CheckedReader reader(node, faults);
  clear.score = reader.number("score", clear.score, 0, 1);
  clear.ahead = reader.number("ahead", clear.ahead, 0, 1);
  reader.close();
  return clear;
}

KnowledgeConfig PartReader::knowledge(const YamlNode& node) {
  KnowledgeConfig knowledge;
  if (!is_map(node, "knowledge", faults)) return knowledge;
  CheckedReader reader(node, faults);
  const YamlNode* files = reader.get_node("files");
  knowledge.to = reader.text("to");
  knowledge.certain = reader.number("certain", knowledge.certain, 0, 1);
  knowledge.related = reader.number("related", knowledge.related, 0, 1);
  if (const YamlNode* clear = reader.get_node("clear")) knowledge.clear = read_clear(*clear);
  knowledge.top = reader.count("top", knowledge.top, 1, kKnowledgeTopMax);
  reader.close();
  if (knowledge.related > knowledge.certain) {
    faults.at(node, "`related` must not be above `certain`");
  }
  if (files == nullptr) {
    faults.at(node, "knowledge needs `files`: [ knowledge/*.yaml ]");
    return knowledge;
  }
  for (const std::string& pattern : read_texts(files, kKnowledgeFilesMax, faults)) {
    for (const std::string& path : glob(*files, pattern)) add_knowledge(*files, path, knowledge);
  }
  if (knowledge.entries.size() > kKnowledgeEntriesMax) {
    faults.at(*files, "more than " + std::to_string(kKnowledgeEntriesMax) + " knowledge entries");
  }
  return knowledge;
}

}  // namespace qiao::flow
