// SPDX-License-Identifier: Apache-2.0
#include "learn/tokenizers/left_out.h"

#include <algorithm>

#include "base/i18n.h"
#include "learn/tokenizers/wordpiece_codec.h"

namespace qiao::learn {
namespace {

constexpr std::int32_t kUncounted = -1;

// By their first bytes, so that the parts of a character in several tokens make one.
std::size_t count_characters(std::string_view text) {
  const auto begins = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins));
}

}  // namespace

LeftOutCounter::LeftOutCounter(const TextCodec& codec) : codec_(codec) {
  if (dynamic_cast<const WordPieceCodec*>(&codec) != nullptr) return;
  characters_.assign(static_cast<std::size_t>(codec.size()), kUncounted);
}

void LeftOutCounter::add(std::string_view text, const std::vector<std::int64_t>& ids) {
  if (characters_.empty()) return;
  std::size_t told = 0;
  for (const std::int64_t id : ids) {
    std::int32_t& count = characters_.at(static_cast<std::size_t>(id));
    if (count == kUncounted) count = static_cast<std::int32_t>(count_characters(codec_.decode(id)));
    told += static_cast<std::size_t>(count);
  }
  const std::size_t characters = count_characters(text);
  sum_.characters += characters;
  sum_.left_out += characters - std::min(told, characters);  // U+FFFD may stand for half a one
}

LeftOut left_out_of(std::string_view text, const std::vector<std::int64_t>& ids,
                    const TextCodec& codec) {
  LeftOutCounter counter(codec);
  counter.add(text, ids);
  return counter.sum();
}

void note_left_out(Progress& progress, const LeftOut& left, const std::string& whose) {
  if (left.left_out == 0) return;
  const double share = static_cast<double>(left.left_out) / static_cast<double>(left.characters);
  progress.note(tr(progress.language(), Text::kLearnLeftOut,
                   {std::to_string(left.left_out), std::to_string(left.characters),
                    percent_text(share), whose}));
}

void add_left_out(Json& into, const LeftOut& left) {
  into["characters"] = left.characters;
  into["characters_left_out"] = left.left_out;
}

}  // namespace qiao::learn
