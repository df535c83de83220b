// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_sequences.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace qiao::model {

LlamaSequences::LlamaSequences(llama_memory_t memory, std::size_t sequences, std::size_t cells,
                               bool sharable)
    : memory_(memory), sharable_(sharable), sequences_(sequences), holders_(cells, 0) {
  free_cells_.resize(cells);
  std::iota(free_cells_.rbegin(), free_cells_.rend(), 0U);
}

const LlamaSequences::Sequence& LlamaSequences::at(llama_seq_id id) const {
  QIAO_CHECK(id >= 0 && static_cast<std::size_t>(id) < sequences_.size());
  return sequences_[static_cast<std::size_t>(id)];
}

LlamaSequences::Sequence& LlamaSequences::at(llama_seq_id id) {
  return const_cast<Sequence&>(std::as_const(*this).at(id));
}

LlamaSequences::Match LlamaSequences::longest_match(std::span<const Token> prompt,
                                                    std::size_t limit) const {
  Match best;
  if (!sharable_) return best;
  const auto head = prompt.first(std::min(limit, prompt.size()));
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const auto& tokens = sequences_[i].tokens;
    const auto differs = std::mismatch(head.begin(), head.end(), tokens.begin(), tokens.end());
    const auto same = static_cast<std::size_t>(differs.first - head.begin());
    if (same > best.tokens) best = {static_cast<llama_seq_id>(i), same};
  }
  return best;
}

std::optional<llama_seq_id> LlamaSequences::oldest(State state, llama_seq_id except) const {
  std::optional<llama_seq_id> found;
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const auto id = static_cast<llama_seq_id>(i);
    if (sequences_[i].state != state || id == except) continue;
    if (!found || sequences_[i].last_use < at(*found).last_use) found = id;
  }
  return found;
}

std::optional<llama_seq_id> LlamaSequences::free_one(llama_seq_id except) {
  if (auto id = oldest(State::kFree)) return id;
  auto id = oldest(State::kKept, except);
  if (!id) id = oldest(State::kPinned, except);
  if (id) forget(*id);
  return id;
}

void LlamaSequences::copy(Match match, llama_seq_id to) {
  if (match.tokens == 0) return;
  auto& source = at(match.from);
  auto& target = at(to);
  const auto count = static_cast<std::ptrdiff_t>(match.tokens);
  target.tokens.assign(source.tokens.begin(), source.tokens.begin() + count);
  target.cells.assign(source.cells.begin(), source.cells.begin() + count);
  for (const auto cell : target.cells) ++holders_[cell];
  source.last_use = ++uses_;
  if (memory_ != nullptr) {
    llama_memory_seq_cp(memory_, match.from, to, 0, static_cast<llama_pos>(match.tokens));
  }
}

std::optional<llama_seq_id> LlamaSequences::take(Match match) {
  const bool goes_on = match.tokens > 0 && at(match.from).state == State::kKept &&
                       at(match.from).tokens.size() == match.tokens;
  if (goes_on) {  // the conversation's next turn: the same sequence
    at(match.from).state = State::kRunning;
    at(match.from).last_use = ++uses_;
    return match.from;
  }
  const auto id = free_one(match.from);
  if (!id) return std::nullopt;
  at(*id).state = State::kRunning;
  at(*id).last_use = ++uses_;
  copy(match, *id);
  return id;
}

void LlamaSequences::append(llama_seq_id id, std::span<const Token> tokens) {
  auto& sequence = at(id);
  QIAO_CHECK(free_cells_.size() >= tokens.size());
  for (const Token token : tokens) {
    const auto cell = free_cells_.back();
    free_cells_.pop_back();
    holders_[cell] = 1;
    ++used_;
    sequence.tokens.push_back(token);
    sequence.cells.push_back(cell);
  }
}

void LlamaSequences::keep(llama_seq_id id) {
  if (!sharable_ || at(id).tokens.empty()) return forget(id);
  at(id).state = State::kKept;
  at(id).last_use = ++uses_;
}

void LlamaSequences::pin_beginning(llama_seq_id id, std::size_t tokens) {
  if (!sharable_ || tokens == 0 || at(id).tokens.size() < tokens) return;
  const auto head = std::span(at(id).tokens).first(tokens);
  std::size_t pinned = 0;
  for (auto& other : sequences_) {
    if (other.state != State::kPinned) continue;
    ++pinned;
    if (other.tokens.size() >= tokens &&
        std::equal(head.begin(), head.end(), other.tokens.begin())) {
      other.last_use = ++uses_;
      return;
    }
  }
  if (pinned >= kPinnedMax) forget(*oldest(State::kPinned));
  if (const auto copy_id = free_one(id)) {
    copy({id, tokens}, *copy_id);
    at(*copy_id).state = State::kPinned;
    at(*copy_id).last_use = ++uses_;
  }
}

void LlamaSequences::forget(llama_seq_id id) {
  auto& sequence = at(id);
  for (const auto cell : sequence.cells) {
    if (--holders_[cell] > 0) continue;
    free_cells_.push_back(cell);
    --used_;
  }
  sequence = Sequence{};
  if (memory_ != nullptr) llama_memory_seq_rm(memory_, id, -1, -1);
}

void LlamaSequences::forget_idle() {
  while (const auto id = oldest(State::kKept)) forget(*id);
  while (const auto id = oldest(State::kPinned)) forget(*id);
}

std::size_t LlamaSequences::cells_in_use(Match match) const {
  std::vector<bool> held(holders_.size(), false);
  for (const auto& sequence : sequences_) {
    if (sequence.state != State::kRunning) continue;
    for (const auto cell : sequence.cells) held[cell] = true;
  }
  for (std::size_t i = 0; i < match.tokens; ++i) held[at(match.from).cells[i]] = true;
  return static_cast<std::size_t>(std::count(held.begin(), held.end(), true));
}

bool LlamaSequences::make_room(std::size_t cells) {
  while (used_ + cells > holders_.size()) {
    auto id = oldest(State::kKept);
    if (!id) id = oldest(State::kPinned);
    if (!id) return false;
    forget(*id);
  }
  return true;
}

}  // namespace qiao::model
