// SPDX-License-Identifier: Apache-2.0
#include "model/llama/answer_text.h"

#include <algorithm>
#include <utility>

#include "text/utf8.h"

namespace qiao::model {
namespace {

// Bytes of the character that `lead` begins; 1 for what begins none.
std::size_t character_bytes(unsigned char lead) {
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  return 1;
}

// How many bytes at the end of `text` begin a character that is not whole yet.
std::size_t open_end(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    return character_bytes(byte) > back ? back : 0;
  }
  return 0;
}

std::string mend(std::string_view bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size();) append_utf8(text, next_code_point(bytes, at));
  return text;
}

// The longest end of `text` that is a beginning of `word`, shorter than the whole word.
std::size_t overlap(std::string_view text, std::string_view word) {
  for (std::size_t n = std::min(text.size(), word.empty() ? 0 : word.size() - 1); n > 0; --n) {
    if (text.ends_with(word.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

AnswerText::AnswerText(std::vector<std::string> stops, std::string hide_from, bool hide_object)
    : stops_(std::move(stops)), hide_from_(std::move(hide_from)), hide_object_(hide_object) {
  std::erase(stops_, std::string());
}

std::string AnswerText::release(std::size_t bytes) {
  std::string piece = held_.substr(0, bytes);
  held_.erase(0, bytes);
  text_ += piece;
  return piece;
}

// Where in held_ hiding begins.
std::size_t AnswerText::hidden_from() const {
  if (hide_object_) {
    const auto first = held_.find_first_not_of(" \t\r\n");
    if (first != std::string::npos && held_[first] == '{') return first;
  }
  return hide_from_.empty() ? std::string::npos : held_.find(hide_from_);
}

std::string AnswerText::push(std::string_view bytes) {
  partial_ += bytes;
  const std::size_t open = open_end(partial_);
  const std::string whole = mend(std::string_view(partial_).substr(0, partial_.size() - open));
  partial_.erase(0, partial_.size() - open);
  if (hiding_) {
    hidden_ += whole;
    return {};
  }
  held_ += whole;
  std::size_t stop = std::string::npos;
  for (const auto& word : stops_) stop = std::min(stop, held_.find(word));
  const auto hide = hidden_from();
  if (stop < hide) {
    held_.resize(stop);
    stopped_ = true;
    return release(stop);
  }
  if (hide != std::string::npos) {
    hidden_ = held_.substr(hide);
    held_.resize(hide);
    hiding_ = true;
    return release(hide);
  }
  hide_object_ = hide_object_ && held_.find_first_not_of(" \t\r\n") == std::string::npos;
  if (hide_object_) return {};
  std::size_t held = overlap(held_, hide_from_);
  for (const auto& word : stops_) held = std::max(held, overlap(held_, word));
  return release(held_.size() - held);
}

std::string AnswerText::finish() {
  const std::string rest = stopped_ ? std::string() : mend(partial_);
  partial_.clear();
  if (hiding_) {
    hidden_ += rest;
    return {};
  }
  held_ += rest;
  return release(held_.size());
}

}  // namespace qiao::model
