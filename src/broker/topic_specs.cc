// SPDX-License-Identifier: Apache-2.0
#include "broker/topic_specs.h"

#include <algorithm>

namespace qiao::broker {
namespace {

// The token in front, which is taken off.
std::string_view take_token(std::string_view& rest) {
  const std::size_t dot = std::min(rest.find('.'), rest.size());
  const std::string_view token = rest.substr(0, dot);
  rest.remove_prefix(std::min(dot + 1, rest.size()));
  return token;
}

int exactness(std::string_view token) {
  return token == ">" ? 0 : token == "*" ? 1 : 2;
}

// Requires: both match the same subject, so names in the same place are equal.
bool more_exact(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const int left = exactness(take_token(a));
    const int right = exactness(take_token(b));
    if (left != right) return left > right;
  }
  return false;
}

}  // namespace

void TopicSpecs::set(const TopicSpec& spec) {
  const auto [found, fresh] = specs_.try_emplace(spec.pattern);
  found->second = spec;
  if (fresh) tree_.insert(found->first, &found->second);
}

void TopicSpecs::erase(std::string_view pattern) {
  const auto found = specs_.find(pattern);
  if (found == specs_.end()) return;
  tree_.erase(found->first, &found->second);
  specs_.erase(found);
}

const TopicSpec* TopicSpecs::find(std::string_view subject) const {
  const TopicSpec* best = nullptr;
  if (specs_.empty()) return best;
  tree_.match(subject, [&best](const TopicSpec* spec) {
    if (best == nullptr || more_exact(spec->pattern, best->pattern)) best = spec;
  });
  return best;
}

void TopicSpecs::write(std::string& out) const {
  put_varint(out, specs_.size());
  for (const auto& [pattern, spec] : specs_)
    put_bytes(out, encode(Record(record::TopicSet{0, spec})).bytes);
}

Status TopicSpecs::read(WireReader& in) {
  static const auto kKind = static_cast<std::uint8_t>(Record(record::TopicSet{}).index());
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    QIAO_ASSIGN(const Record record, decode_record({kKind, std::string(in.bytes())}));
    set(std::get<record::TopicSet>(record).spec);
  }
  return {};
}

}  // namespace qiao::broker
