// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_scheduler.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace qiao::model {
namespace {

// Of one step: fewer waste the weights' way through the caches, more gain nothing.
constexpr std::size_t kPromptTokensMin = 32;
// A prompt alone is read a tenth faster in larger parts, and keeps nobody waiting.
constexpr std::size_t kPromptTokensAlone = 64;
// Of a first step that may have more threads than the processor serves.
constexpr std::size_t kPromptTokensFirst = 8;
// What nobody waits for is read in parts that keep who comes now waiting for half a second.
constexpr std::size_t kPromptTokensIdle = 16;
constexpr std::size_t kPromptTokensMax = LlamaScheduler::kBatchTokens;
// A step this small says nothing about the speed of large ones.
constexpr std::int32_t kMeasuredTokensMin = 32;
// So many tokens must be saved for a request to wait until another has decoded them.
constexpr std::size_t kWorthWaiting = 32;

std::size_t common_beginning(const std::vector<Token>& a, const std::vector<Token>& b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

// The place in `list` before the first less urgent one; `urgency` reads an element's priority.
template <class List, class Urgency>
auto place_for(List& list, std::uint8_t priority, const Urgency& urgency) {
  return std::find_if(list.begin(), list.end(),
                      [&](const auto& other) { return urgency(other) < priority; });
}

double ms_between(std::int64_t from_us, std::int64_t to_us) {
  return static_cast<double>(to_us - from_us) / 1000.0;
}

}  // namespace

std::size_t LlamaScheduler::Running::cells_ahead() const {
  const auto& request = answer.request;
  const auto written = static_cast<std::size_t>(usage.completion_tokens);
  return request.prompt.size() - read + static_cast<std::size_t>(request.tokens_max) - written;
}

LlamaScheduler::LlamaScheduler(std::string name, llama_context& context, const Bounds& bounds,
                               const Clock& clock)
    : name_(std::move(name)),
      context_(context),
      vocab_(*llama_model_get_vocab(llama_get_model(&context))),
      bounds_(bounds),
      clock_(clock),
      sequences_(llama_get_memory(&context), bounds.sequences, bounds.cells, bounds.sharable),
      threads_(bounds.threads),
      batch_(kBatchTokens, static_cast<std::int32_t>(bounds.sequences),
             llama_vocab_n_tokens(&vocab_)) {}

void LlamaScheduler::add(Answer answer) {
  const auto at = place_for(waiting_, answer.request.priority,
                            [](const Answer& other) { return other.request.priority; });
  waiting_.insert(at, std::move(answer));
}

void LlamaScheduler::cancel(Model::RequestId id) {
  const Error error{Code::kCancelled, "the request was cancelled"};
  for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
    if (at->id != id) continue;
    const auto on_done = std::move(at->on_done);
    waiting_.erase(at);
    return on_done(error);
  }
  for (auto at = running_.begin(); at != running_.end(); ++at) {
    if (at->answer.id == id) return end(at, error);
  }
}

void LlamaScheduler::drop_all(const Error& error) {
  while (!waiting_.empty()) cancel(waiting_.front().id);
  while (!running_.empty()) end(running_.begin(), error);
}

void LlamaScheduler::step() {
  end_late_ones();
  admit();
  fill_batch();
  if (batch_.size() == 0) return;
  const int threads = threads_.next(clock_.steady_us());
  llama_set_n_threads(&context_, threads, threads);
  const auto start_us = clock_.steady_us();
  const auto cpu_us = process_cpu_us();
  if (auto done = decode(); !done) {
    while (!running_.empty()) end(running_.begin(), done.error());
    sequences_.forget_idle();
    return;
  }
  const auto end_us = clock_.steady_us();
  threads_.note(end_us, process_cpu_us() - cpu_us);
  note_speed(end_us - start_us);
  for (auto at = running_.begin(); at != running_.end();) take_output(at++);
}

void LlamaScheduler::end_late_ones() {
  const auto now = clock_.steady_us();
  const auto late = [&](const Answer& answer) {
    return now - answer.asked_us >= answer.request.deadline_ms * 1000;
  };
  const auto error = [this](const Answer& answer) {
    return Error{Code::kDeadline, "model " + name_ + " had no whole answer within " +
                                      std::to_string(answer.request.deadline_ms) + " ms"};
  };
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const auto here = at++;
    if (!late(*here)) continue;
    const Answer answer = std::move(*here);
    waiting_.erase(here);
    answer.on_done(error(answer));
  }
  for (auto at = running_.begin(); at != running_.end();) {
    const auto here = at++;
    if (late(here->answer)) end(here, error(here->answer));
  }
}

void LlamaScheduler::admit() {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const auto here = at++;
    const auto& request = here->request;
    const std::size_t extra = request.priority >= kUrgent ? 1 : 0;
    const bool idle = request.priority == kIdlePriority;
    if (idle ? !running_.empty() : busy() >= bounds_.slots + extra) return;
    // The last token is always decoded: its logits are needed.
    const auto match = sequences_.longest_match(request.prompt, request.prompt.size() - 1);
    if (waits_for_other(request.prompt, match.tokens)) continue;
    if (!fits(request, match)) return;  // nobody overtakes a large one for ever
    start(here, match);
  }
}

std::size_t LlamaScheduler::busy() const {
  return running_.size() - (!running_.empty() && running_.back().idle() ? 1 : 0);
}

bool LlamaScheduler::waits_for_other(const std::vector<Token>& prompt, std::size_t have) const {
  if (!bounds_.sharable) return false;
  return std::any_of(running_.begin(), running_.end(), [&](const Running& other) {
    if (!other.reading() || !goes_on(other)) return false;
    const auto common = common_beginning(prompt, other.answer.request.prompt);
    return common >= have + kWorthWaiting && other.read < common;
  });
}

bool LlamaScheduler::fits(const LlamaRequest& request, LlamaSequences::Match match) const {
  std::size_t needed = sequences_.cells_in_use(match) + request.prompt.size() - match.tokens +
                       static_cast<std::size_t>(request.tokens_max);
  for (const auto& running : running_) needed += running.cells_ahead();
  return needed <= sequences_.cells();
}

void LlamaScheduler::start(std::list<Answer>::iterator answer, LlamaSequences::Match match) {
  const auto sequence = sequences_.take(match);
  if (!sequence) return;  // all run: there are more sequences than slots, so never
  Running running(std::move(*answer));
  waiting_.erase(answer);
  running.sequence = *sequence;
  running.read = match.tokens;
  running.usage.prompt_tokens = static_cast<std::int32_t>(running.answer.request.prompt.size());
  running.usage.cached_tokens = static_cast<std::int32_t>(match.tokens);
  const auto at = place_for(running_, running.answer.request.priority,
                            [](const Running& other) { return other.answer.request.priority; });
  running_.insert(at, std::move(running));
}

void LlamaScheduler::fill_batch() {
  batch_.clear();
  for (auto& running : running_) {
    running.in_batch = 0;
    running.row = -1;
    if (running.reading() || !goes_on(running)) continue;
    const auto position = static_cast<llama_pos>(sequences_.tokens(running.sequence).size());
    if (!batch_.add(running.next, position, running.sequence, true)) continue;
    running.row = batch_.size() - 1;
  }
  auto budget = std::min(prompt_tokens_in_time(), static_cast<std::size_t>(batch_.room()));
  for (auto& running : running_) {
    if (!running.reading() || !goes_on(running)) continue;
    const auto tokens = std::min(budget, running.answer.request.prompt.size() - running.read);
    add_prompt(running, tokens);
    budget -= tokens;
  }
}

std::size_t LlamaScheduler::prompt_tokens_in_time() const {
  if (threads_.knows_nothing(clock_.steady_us())) return kPromptTokensFirst;
  const bool nobody_waits = waiting_.empty() || waiting_.front().request.priority == kIdlePriority;
  const bool alone = busy() == 1 && nobody_waits;
  const auto least = busy() == 0 ? kPromptTokensIdle
                     : alone     ? kPromptTokensAlone
                                 : kPromptTokensMin;
  if (token_us_ == 0) return least;  // until the speed is known
  const auto timely = static_cast<std::size_t>(kStepMs * 1000 / token_us_);
  return std::clamp(timely, least, kPromptTokensMax);
}

void LlamaScheduler::add_prompt(Running& running, std::size_t tokens) {
  const auto& prompt = running.answer.request.prompt;
  for (std::size_t i = 0; i < tokens; ++i) {
    const std::size_t at = running.read + i;
    const bool last = at + 1 == prompt.size();
    if (!batch_.add(prompt[at], static_cast<llama_pos>(at), running.sequence, last)) return;
    ++running.in_batch;
    if (last) running.row = batch_.size() - 1;
  }
}

Status LlamaScheduler::decode() {
  if (!sequences_.make_room(static_cast<std::size_t>(batch_.size()))) {
    return Error{Code::kModelFailed, "model " + name_ + ": the context's memory is full"};
  }
  try {
    const auto result = llama_decode(&context_, batch_.view());
    if (result != 0) {
      return Error{Code::kModelFailed, "model " + name_ + " could not compute the next tokens (" +
                                           std::to_string(result) + ")"};
    }
  } catch (const std::exception& e) {
    return Error{Code::kModelFailed, "model " + name_ + " failed: " + e.what()};
  }
  for (auto& running : running_) {
    if (running.reading()) {
      const auto prompt = std::span(running.answer.request.prompt);
      sequences_.append(running.sequence, prompt.subspan(running.read, running.in_batch));
      running.read += running.in_batch;
    } else if (running.row >= 0) {
      sequences_.append(running.sequence, {&running.next, 1});
    }
  }
  return {};
}

void LlamaScheduler::note_speed(std::int64_t spent_us) {
  if (batch_.size() < kMeasuredTokensMin) return;
  const double now = static_cast<double>(spent_us) / batch_.size();
  token_us_ = token_us_ == 0 ? now : 0.7 * token_us_ + 0.3 * now;
}

void LlamaScheduler::take_output(RunningList::iterator at) {
  auto& request = at->answer.request;
  if (at->in_batch > 0 && request.shared > 0 && at->read >= request.shared) {
    sequences_.pin_beginning(at->sequence, request.shared);
    request.shared = 0;  // once
  }
  if (at->row < 0) return;
  float* logits = llama_get_logits_ith(&context_, at->row);
  if (logits == nullptr) {
    return end(at, Error{Code::kModelFailed, "model " + name_ + " computed no token"});
  }
  const auto count = static_cast<std::size_t>(llama_vocab_n_tokens(&vocab_));
  auto token = request.sampler.pick(std::span(logits, count));
  if (!token) return end(at, std::move(token.error()));
  if (at->first_us == 0) at->first_us = clock_.steady_us();
  if (llama_vocab_is_eog(&vocab_, *token)) return end(at, Finish::kStop);
  if (!write(*at, *token)) return end(at, Finish::kStop);
  if (at->usage.completion_tokens >= request.tokens_max) end(at, Finish::kLength);
}

bool LlamaScheduler::write(Running& running, Token token) {
  running.next = token;
  ++running.usage.completion_tokens;
  auto& text = running.answer.request.text;
  const auto piece = text.push(piece_of(vocab_, token));
  if (!piece.empty() && running.answer.on_text) running.answer.on_text(piece);
  return !text.stopped();
}

void LlamaScheduler::end(RunningList::iterator at, Result<Finish> finish) {
  Running running = std::move(*at);
  running_.erase(at);
  sequences_.keep(running.sequence);
  auto& answer = running.answer;
  if (!finish) return answer.on_done(std::move(finish.error()));
  auto generated = finish_request(answer.request, *finish, answer.on_text);
  if (generated) {
    generated->usage = running.usage;
    generated->first_token_ms = ms_between(answer.asked_us, running.first_us);
    generated->total_ms = ms_between(answer.asked_us, clock_.steady_us());
  }
  answer.on_done(std::move(generated));
}

}  // namespace qiao::model
