// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <sstream>

#include "base/disk.h"
#include "base/join.h"

namespace qiao {
namespace {

// Ends parsing from inside yaml-cpp's callbacks; never leaves this file.
struct Refused {
  std::string message;
};

// Builds the tree from parse events, so that limits hold while aliases are followed.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string file) : file_(std::move(file)) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    finish(make(mark), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = make(mark);
    node.kind = YamlNode::Kind::kScalar;
    node.scalar = value;
    node.quoted = tag == "!";
    if (!node.quoted && (value == "~" || value == "null" || value.empty()))
      node.kind = YamlNode::Kind::kNull;
    finish(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refused{place(mark) + "an alias inside its own anchor"};
    const auto [nodes, depth] = measure(found->second);
    count_ += nodes;
    check_count(mark);
    check_depth(mark, stack_.size() + depth);
    add(found->second);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { close(); }

  YamlNode take() { return std::move(root_); }

 private:
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor;
    std::string key;
    int key_line = 0;
    bool has_key = false;
    std::set<std::string, std::less<>> keys;
  };
  struct Measure {
    std::size_t nodes = 1;
    std::size_t depth = 1;
  };

  std::string place(const YAML::Mark& mark) const {
    return file_ + ":" + std::to_string(mark.line + 1) + ": ";
  }

  void check_count(const YAML::Mark& mark) const {
    if (count_ > kYamlNodesMax) {
      throw Refused{place(mark) + "more than " + std::to_string(kYamlNodesMax) +
                    " nodes, aliases followed"};
    }
  }

  void check_depth(const YAML::Mark& mark, std::size_t depth) const {
    if (depth > kYamlDepthMax) {
      throw Refused{place(mark) + "nested deeper than " + std::to_string(kYamlDepthMax) +
                    " levels"};
    }
  }

  YamlNode make(const YAML::Mark& mark) {
    ++count_;
    check_count(mark);
    YamlNode node;
    node.file = file_;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  static Measure measure(const YamlNode& node) {
    Measure total;
    const auto take = [&total](const YamlNode& child) {
      const Measure inner = measure(child);
      total.nodes += inner.nodes;
      total.depth = std::max(total.depth, inner.depth + 1);
    };
    for (const YamlNode& item : node.items) take(item);
    for (const auto& [key, value] : node.entries) take(value);
    return total;
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind) {
    check_depth(mark, stack_.size() + 1);
    YamlNode node = make(mark);
    node.kind = kind;
    stack_.push_back({std::move(node), anchor, {}, 0, false, {}});
  }

  void close() {
    Open done = std::move(stack_.back());
    stack_.pop_back();
    finish(std::move(done.node), done.anchor);
  }

  // What an anchor keeps is a copy and counts like one: nested anchors cannot multiply.
  void finish(YamlNode node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      kept_ += measure(node).nodes;
      if (kept_ > kYamlNodesMax) throw Refused{node.where() + "the anchors hold too many nodes"};
      anchors_[anchor] = node;
    }
    add(std::move(node));
  }

  void add(YamlNode node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = stack_.back();
    if (parent.node.kind == YamlNode::Kind::kList) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.has_key) {
      take_key(parent, node);
    } else {
      node.key_line = parent.key_line;
      parent.node.entries.push_back({std::move(parent.key), std::move(node)});
      parent.has_key = false;
    }
  }

  static void take_key(Open& parent, const YamlNode& node) {
    if (node.kind != YamlNode::Kind::kScalar)
      throw Refused{node.where() + "a key must be plain text"};
    if (!parent.keys.insert(node.scalar).second)
      throw Refused{node.where() + "key '" + node.scalar + "' stands twice"};
    parent.key = node.scalar;
    parent.key_line = node.line;
    parent.has_key = true;
  }

  std::string file_;
  YamlNode root_;
  std::vector<Open> stack_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  std::size_t count_ = 0;
  std::size_t kept_ = 0;
};

std::optional<std::int64_t> to_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> to_number(std::string_view text) {
  double value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;  // from_chars reads "nan" and "inf"
  return value;
}

std::optional<bool> to_bool(std::string_view text) {
  if (text == "true" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "no" || text == "off") return false;
  return std::nullopt;
}

std::optional<std::int64_t> to_duration_ms(std::string_view text) {
  const std::size_t digits = text.find_first_not_of("0123456789");
  const auto count = to_integer(text.substr(0, digits));
  if (!count || *count > 1'000'000'000) return std::nullopt;
  const std::string_view unit = digits == std::string_view::npos ? "" : text.substr(digits);
  if (unit.empty() || unit == "ms") return *count;
  if (unit == "s") return *count * 1'000;
  if (unit == "m") return *count * 60'000;
  if (unit == "h") return *count * 3'600'000;
  if (unit == "d") return *count * 86'400'000;
  return std::nullopt;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string YamlNode::where() const {
  return file + ":" + std::to_string(line) + ": ";
}

std::string YamlNode::key_where() const {
  return file + ":" + std::to_string(key_line) + ": ";
}

Json YamlNode::to_json() const {
  switch (kind) {
    case Kind::kNull:
      return nullptr;
    case Kind::kList: {
      Json list = Json::array();
      for (const YamlNode& item : items) list.push_back(item.to_json());
      return list;
    }
    case Kind::kMap: {
      Json map = Json::object();
      for (const auto& [key, value] : entries) map[key] = value.to_json();
      return map;
    }
    case Kind::kScalar:
      break;
  }
  if (quoted) return scalar;
  if (const auto value = to_integer(scalar)) return *value;
  if (const auto value = to_number(scalar)) return *value;
  if (scalar == "true" || scalar == "false") return scalar == "true";
  return scalar;
}

Result<YamlNode> parse_yaml(std::string_view text, std::string file) {
  if (text.size() > kYamlBytesMax) {
    return invalid_argument(file + ": larger than " + std::to_string(kYamlBytesMax) + " bytes");
  }
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    TreeBuilder builder(file);
    parser.HandleNextDocument(builder);
    YamlNode root = builder.take();
    if (parser.HandleNextDocument(builder))
      return invalid_argument(file + ": more than one document (a line ---); one is wanted");
    return root;
  } catch (const Refused& refused) {
    return invalid_argument(refused.message);
  } catch (const YAML::Exception& fault) {
    return invalid_argument(file + ":" + std::to_string(fault.mark.line + 1) +
                            ": not YAML: " + fault.msg);
  } catch (const std::exception& fault) {
    return invalid_argument(file + ": not YAML: " + fault.what());
  }
}

Result<YamlNode> load_yaml(const std::string& path) {
  QIAO_ASSIGN(const std::string text, read_file(path, kYamlBytesMax));
  return parse_yaml(text, path);
}

YamlReader::YamlReader(const YamlNode& node) : node_(node) {
  if (node.kind != YamlNode::Kind::kMap && node.kind != YamlNode::Kind::kNull)
    fault(node, "keys and values are wanted here");
}

const YamlNode* YamlReader::get_node(std::string_view key) {
  asked_.emplace_back(key);
  const YamlNode* node = node_.find(key);
  return node == nullptr || node->kind == YamlNode::Kind::kNull ? nullptr : node;
}

std::optional<std::string> YamlReader::get_string(std::string_view key) {
  const YamlNode* node = get_node(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind == YamlNode::Kind::kScalar) return node->scalar;
  fault(*node, "'" + std::string(key) + "' must be text");
  return std::nullopt;
}

std::optional<std::int64_t> YamlReader::get_integer(std::string_view key) {
  const YamlNode* node = get_node(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind == YamlNode::Kind::kScalar) {
    if (const auto value = to_integer(node->scalar)) return value;
  }
  fault(*node, "'" + std::string(key) + "' must be a whole number");
  return std::nullopt;
}

std::optional<double> YamlReader::get_number(std::string_view key) {
  const YamlNode* node = get_node(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind == YamlNode::Kind::kScalar) {
    if (const auto value = to_number(node->scalar)) return value;
  }
  fault(*node, "'" + std::string(key) + "' must be a number");
  return std::nullopt;
}

std::optional<bool> YamlReader::get_bool(std::string_view key) {
  const YamlNode* node = get_node(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind == YamlNode::Kind::kScalar) {
    if (const auto value = to_bool(node->scalar)) return value;
  }
  fault(*node, "'" + std::string(key) + "' must be true or false");
  return std::nullopt;
}

std::optional<std::int64_t> YamlReader::get_duration_ms(std::string_view key) {
  const YamlNode* node = get_node(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind == YamlNode::Kind::kScalar) {
    if (const auto value = to_duration_ms(node->scalar)) return value;
  }
  fault(*node, "'" + std::string(key) + "' must be a duration such as 800ms, 4s, 30m or 2h");
  return std::nullopt;
}

std::optional<std::vector<std::string>> YamlReader::get_strings(std::string_view key) {
  const YamlNode* node = get_node(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind == YamlNode::Kind::kScalar) return std::vector{node->scalar};
  std::vector<std::string> out;
  for (const YamlNode& item : node->items) {
    if (item.kind == YamlNode::Kind::kScalar) {
      out.push_back(item.scalar);
    } else {
      fault(item, "'" + std::string(key) + "' must be a list of texts");
    }
  }
  if (node->kind == YamlNode::Kind::kMap)
    fault(*node, "'" + std::string(key) + "' must be a list of texts");
  return out;
}

void YamlReader::fault(const YamlNode& node, std::string message) {
  faults_.push_back(node.where() + message);
}

void YamlReader::require(std::string_view key) {
  if (node_.find(key) == nullptr) fault(node_, "'" + std::string(key) + "' is missing");
}

void YamlReader::merge(YamlReader& nested) {
  nested.close();
  faults_.insert(faults_.end(), nested.faults_.begin(), nested.faults_.end());
  nested.faults_.clear();
}

void YamlReader::close() {
  if (closed_) return;
  closed_ = true;
  for (const auto& [key, value] : node_.entries) {
    if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
    std::string message = "unknown key '" + key + "'";
    if (const auto near = nearest(key, asked_)) message += "; did you mean '" + *near + "'?";
    faults_.push_back(value.key_where() + message);
  }
}

Status YamlReader::finish() {
  close();
  if (!faults_.empty()) return invalid_argument(join(faults_, "\n"));
  return {};
}

namespace {

// Edits that turn `a` into `b`; two neighbours swapped count as one (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> two_up(b.size() + 1);
  std::vector<std::size_t> up(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    two_up.swap(up);
    up.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = up[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({up[j] + 1, row[j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], two_up[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = candidate;
  }
  return best;
}

}  // namespace qiao
