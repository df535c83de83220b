// SPDX-License-Identifier: Apache-2.0
#include "flow/config/faults.h"

#include <algorithm>

namespace qiao {

void Faults::at(const YamlNode& node, std::string_view message) {
  lines_.push_back(node.where() + std::string(message));
}

void Faults::take(const Status& status) {
  if (status) return;
  const std::string& text = status.error().message;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) lines_.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

Status Faults::finish() const {
  if (lines_.empty()) return {};
  std::string text;
  for (std::size_t i = 0; i < std::min(lines_.size(), kShownMax); ++i) {
    text += (i > 0 ? "\n" : "") + lines_[i];
  }
  if (lines_.size() > kShownMax) {
    text += "\n… and " + std::to_string(lines_.size() - kShownMax) + " more faults";
  }
  return invalid_argument(std::move(text));
}

Localized read_localized(const YamlNode* node, Faults& faults) {
  if (node == nullptr || node->kind == YamlNode::Kind::kNull) return {};
  if (node->kind == YamlNode::Kind::kScalar) return {node->scalar, node->scalar};
  if (node->kind == YamlNode::Kind::kList) {
    faults.at(*node, "a text is needed here: one for both languages, or { zh: …, en: … }");
    return {};
  }
  YamlReader reader(*node);
  Localized text{reader.get_string("zh").value_or(""), reader.get_string("en").value_or("")};
  faults.take(reader.finish());
  return text;
}

std::vector<std::string> read_texts(const YamlNode* node, std::size_t count_max, Faults& faults) {
  if (node == nullptr || node->kind == YamlNode::Kind::kNull) return {};
  if (node->kind == YamlNode::Kind::kScalar) return {node->scalar};
  if (node->kind == YamlNode::Kind::kMap) {
    faults.at(*node, "a list of texts is needed here: [ …, … ]");
    return {};
  }
  std::vector<std::string> texts;
  for (const YamlNode& item : node->items) {
    if (item.kind != YamlNode::Kind::kScalar || item.scalar.empty()) {
      faults.at(item, "a text is needed here, not a list, a map or nothing");
    } else if (texts.size() == count_max) {
      faults.at(item, "more than " + std::to_string(count_max) + " texts in one list");
      break;
    } else {
      texts.push_back(item.scalar);
    }
  }
  return texts;
}

}  // namespace qiao
