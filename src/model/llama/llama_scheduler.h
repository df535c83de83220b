// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "model/llama/llama_request.h"
#include "model/llama/llama_sequences.h"
#include "model/llama/step_threads.h"

namespace qiao::model {

// Writes many answers side by side with one llama.cpp context. Each step() decodes one batch: the
// next token of every running answer, then as much of the prompts that wait to be read as takes
// about kStepMs (more when nobody else waits), one prompt after another, the most urgent first. So
// first tokens come one by one instead of all at the end, and nothing urgent is stuck behind a long
// prompt. A beginning that
// lies in the context's memory already is not decoded again, and a request whose beginning is
// being decoded for another one waits for that.
//
// A request starts when a slot is free and the cells for its prompt and longest answer are, so an
// answer that has begun never lacks room; kUrgent and above may use one slot more. One request of
// kIdlePriority at a time, beside the slots, goes on in steps without any other.
// Owned by LlamaModel; its thread only. The caller bounds how many answers it adds.
class LlamaScheduler {
 public:
  static constexpr std::uint8_t kUrgent = 8;
  static constexpr std::int64_t kStepMs = 250;
  static constexpr std::size_t kBatchTokens = 512;

  struct Answer {
    Model::RequestId id = 0;
    LlamaRequest request;
    Model::OnText on_text;
    Model::OnGenerated on_done;
    std::int64_t asked_us = 0;
  };
  struct Bounds {
    std::size_t slots = 1;
    std::size_t sequences = 2;  // that the context was made with
    std::size_t cells = 0;      // of the context
    bool sharable = true;       // see LlamaSequences
    int threads = 1;            // of a step, at most
  };

  // `context` and `clock` must outlive it.
  LlamaScheduler(std::string name, llama_context& context, const Bounds& bounds,
                 const Clock& clock);

  void add(Answer answer);
  void cancel(Model::RequestId id);
  [[nodiscard]] bool empty() const { return waiting_.empty() && running_.empty(); }
  void step();
  void drop_all(const Error& error);

 private:
  struct Running {
    explicit Running(Answer asked) : answer(std::move(asked)) {}

    Answer answer;
    llama_seq_id sequence = -1;
    std::size_t read = 0;      // tokens of the prompt in memory
    std::size_t in_batch = 0;  // tokens of it in this step's batch
    std::int32_t row = -1;     // of the batch, whose logits give its next token
    Token next = 0;            // written, not yet decoded
    Usage usage;
    std::int64_t first_us = 0;

    [[nodiscard]] bool reading() const { return read < answer.request.prompt.size(); }
    [[nodiscard]] bool idle() const { return answer.request.priority == kIdlePriority; }
    // Cells it may still need.
    [[nodiscard]] std::size_t cells_ahead() const;
  };
  using RunningList = std::list<Running>;

  void end_late_ones();
  void admit();
  // Running ones that are not idle.
  [[nodiscard]] std::size_t busy() const;
  // Whether `running` takes part in the steps now.
  [[nodiscard]] bool goes_on(const Running& running) const {
    return !running.idle() || busy() == 0;
  }
  [[nodiscard]] bool waits_for_other(const std::vector<Token>& prompt, std::size_t have) const;
  [[nodiscard]] bool fits(const LlamaRequest& request, LlamaSequences::Match match) const;
  void start(std::list<Answer>::iterator answer, LlamaSequences::Match match);
  void fill_batch();
  void add_prompt(Running& running, std::size_t tokens);
  [[nodiscard]] std::size_t prompt_tokens_in_time() const;
  Status decode();
  void note_speed(std::int64_t spent_us);
  void take_output(RunningList::iterator at);
  // True when the answer goes on after `token`.
  bool write(Running& running, Token token);
  void end(RunningList::iterator at, Result<Finish> finish);

  const std::string name_;
  llama_context& context_;
  const llama_vocab& vocab_;
  const Bounds bounds_;
  const Clock& clock_;
  LlamaSequences sequences_;
  StepThreads threads_;
  LlamaBatch batch_;
  std::list<Answer> waiting_;  // most urgent first, then in order of arrival
  RunningList running_;        // the same
  double token_us_ = 0;        // that one token of a large batch takes, as measured
};

}  // namespace qiao::model
