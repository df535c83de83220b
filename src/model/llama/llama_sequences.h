// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/llama/llama_handles.h"

namespace qiao::model {

// The book of what lies in a context's memory: which sequences hold which tokens, and how many
// of its cells are used. A cell may belong to several sequences (a shared beginning), as
// llama_memory_seq_cp makes it with one unified memory; it is free when none has it.
//
// A sequence is running (an answer is being written), kept (its conversation may go on; the
// longest unused goes first when room is needed) or pinned (a beginning many requests share;
// goes after all kept ones). Every change is also made in `memory`, unless that is null (tests).
//
// Owned by the scheduler; its thread only. Sequences and cells are bounded by the constructor.
class LlamaSequences {
 public:
  // A flow's agents have one or two each, and one for each entry that is read ahead.
  static constexpr std::size_t kPinnedMax = 128;

  enum class State : std::uint8_t { kFree, kRunning, kKept, kPinned };
  struct Match {
    llama_seq_id from = -1;
    std::size_t tokens = 0;
  };

  // `sharable` is false for memories that cannot forget a part (recurrent models).
  LlamaSequences(llama_memory_t memory, std::size_t sequences, std::size_t cells, bool sharable);

  // The sequence that begins with the most tokens of `prompt`; at most `limit` count.
  [[nodiscard]] Match longest_match(std::span<const Token> prompt, std::size_t limit) const;

  // A running sequence that begins with `match`, forgetting the longest unused when all are
  // taken; nothing when all run.
  std::optional<llama_seq_id> take(Match match);
  // Tokens that were decoded onto the end of `id`. Requires: room was made for them.
  void append(llama_seq_id id, std::span<const Token> tokens);
  // The answer ended: keep the sequence for the conversation's next turn.
  void keep(llama_seq_id id);
  // Keeps the first `tokens` of `id` for others, unless they are pinned already.
  void pin_beginning(llama_seq_id id, std::size_t tokens);
  void forget(llama_seq_id id);
  // Forgets everything that is kept or pinned.
  void forget_idle();

  // Cells that stay used when everything idle but `match` is forgotten.
  [[nodiscard]] std::size_t cells_in_use(Match match) const;
  // Forgets kept, then pinned sequences until `cells` more fit; false when not all can.
  bool make_room(std::size_t cells);

  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] std::size_t cells() const { return holders_.size(); }
  [[nodiscard]] const std::vector<Token>& tokens(llama_seq_id id) const { return at(id).tokens; }

 private:
  struct Sequence {
    State state = State::kFree;
    std::vector<Token> tokens;
    std::vector<std::uint32_t> cells;  // one for each token
    std::uint64_t last_use = 0;
  };

  [[nodiscard]] const Sequence& at(llama_seq_id id) const;
  Sequence& at(llama_seq_id id);
  [[nodiscard]] std::optional<llama_seq_id> oldest(State state, llama_seq_id except = -1) const;
  std::optional<llama_seq_id> free_one(llama_seq_id except);
  void copy(Match match, llama_seq_id to);

  llama_memory_t memory_;
  bool sharable_;
  std::vector<Sequence> sequences_;
  std::vector<std::uint32_t> holders_;  // by cell: how many sequences have it
  std::vector<std::uint32_t> free_cells_;
  std::size_t used_ = 0;
  std::uint64_t uses_ = 0;
};

}  // namespace qiao::model
