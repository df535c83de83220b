// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace qiao::broker {

// Values under subject patterns, found by subject: the cost of match() grows with the tokens of
// the subject, not with the number of patterns. Requires valid patterns and subjects
// (message/subject.h). One thread at a time.
template <class T>
class SubjectTree {
 public:
  void insert(std::string_view pattern, T value) {
    Node* node = &root_;
    for (std::string_view rest = pattern; !rest.empty();) {
      std::unique_ptr<Node>& child = node->children[std::string(take_token(rest))];
      if (!child) child = std::make_unique<Node>();
      node = child.get();
    }
    node->values.push_back(std::move(value));
    ++size_;
  }

  void erase(std::string_view pattern, const T& value) { erase(root_, pattern, value); }

  // Calls visit(value) for every pattern that matches.
  template <class Visit>
  void match(std::string_view subject, Visit&& visit) const {
    if (size_ > 0) match(root_, subject, visit);
  }
  [[nodiscard]] bool any(std::string_view subject) const {
    bool found = false;
    match(subject, [&found](const T&) { found = true; });
    return found;
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
    std::vector<T> values;
  };

  static std::string_view take_token(std::string_view& rest) {
    const std::size_t dot = rest.find('.');
    const std::string_view token = rest.substr(0, dot);
    rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
    return token;
  }

  template <class Visit>
  static void visit_all(const Node& node, Visit& visit) {
    for (const T& value : node.values) visit(value);
  }

  template <class Visit>
  static void match(const Node& node, std::string_view rest, Visit& visit) {
    if (rest.empty()) return visit_all(node, visit);
    if (const auto all = node.children.find(">"); all != node.children.end())
      visit_all(*all->second, visit);
    const std::string_view token = take_token(rest);
    if (const auto any = node.children.find("*"); any != node.children.end())
      match(*any->second, rest, visit);
    if (const auto same = node.children.find(token); same != node.children.end())
      match(*same->second, rest, visit);
  }

  // True when `node` is empty afterwards: its parent drops it.
  bool erase(Node& node, std::string_view rest, const T& value) {
    if (rest.empty()) {
      size_ -= std::erase(node.values, value);
    } else if (const auto child = node.children.find(take_token(rest));
               child != node.children.end()) {
      if (erase(*child->second, rest, value)) node.children.erase(child);
    }
    return node.values.empty() && node.children.empty();
  }

  Node root_;
  std::size_t size_ = 0;
};

}  // namespace qiao::broker
