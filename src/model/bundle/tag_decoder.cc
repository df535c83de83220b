// SPDX-License-Identifier: Apache-2.0
#include "model/bundle/tag_decoder.h"

#include <limits>
#include <string_view>

namespace qiao::model {
namespace {

using TagNames = std::vector<std::string>;

bool may_follow(std::string_view before, std::string_view tag) {
  if (!tag.starts_with("I-")) return true;
  return before.size() > 2 && before.substr(2) == tag.substr(2);
}

constexpr float kNever = -std::numeric_limits<float>::infinity();

// For each pair of tags what it costs or gives that the second follows the first.
std::vector<float> steps_of(const float* transitions, const TagNames& names) {
  std::vector<float> steps;
  for (const std::string& before : names) {
    for (const std::string& tag : names) {
      const float learnt = transitions == nullptr ? 0 : transitions[steps.size()];
      steps.push_back(may_follow(before, tag) ? learnt : kNever);
    }
  }
  return steps;
}

// The best tag of each of `pieces` pieces.
std::vector<std::size_t> best_path(const TagScores& scores, std::size_t pieces,
                                   const TagNames& names) {
  const std::size_t tags = names.size();
  const auto steps = steps_of(scores.transitions, names);
  std::vector<float> total(tags, kNever);
  std::vector<std::vector<std::size_t>> from(pieces, std::vector<std::size_t>(tags, 0));
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    std::vector<float> next(tags, kNever);
    for (std::size_t tag = 0; tag < tags; ++tag) {
      const float own = scores.own[piece * tags + tag];
      if (piece == 0) {
        next[tag] = may_follow("O", names[tag]) ? own : kNever;
        continue;
      }
      for (std::size_t before = 0; before < tags; ++before) {
        const float way = total[before] + steps[before * tags + tag] + own;
        if (way <= next[tag]) continue;
        next[tag] = way;
        from[piece][tag] = before;
      }
    }
    total = std::move(next);
  }
  std::vector<std::size_t> path(pieces);
  std::size_t best = 0;
  for (std::size_t tag = 1; tag < tags; ++tag) best = total[tag] > total[best] ? tag : best;
  for (std::size_t piece = pieces; piece-- > 0;) {
    path[piece] = best;
    best = from[piece][best];
  }
  return path;
}

}  // namespace

std::vector<std::string> decode_tags(const TagScores& scores, const Encoded& text,
                                     const TagNames& names, std::size_t characters) {
  std::vector<std::string> tags(characters, "O");
  const std::size_t pieces = text.ids.size() - 2;
  const std::vector<std::size_t> path =
      best_path({scores.own + names.size(), scores.transitions}, pieces, names);
  for (std::size_t i = 0; i < pieces; ++i) {
    const PieceRange& range = text.ranges[i + 1];
    const std::string& tag = names[path[i]];
    if (tag == "O") continue;
    for (std::int32_t at = range.begin; at < range.end; ++at) {
      tags[static_cast<std::size_t>(at)] =
          at == range.begin ? tag : std::string("I-").append(tag, 2);
    }
  }
  return tags;
}

}  // namespace qiao::model
