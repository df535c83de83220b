// SPDX-License-Identifier: Apache-2.0
#include "learn/training/step_loop.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <utility>

#include "base/i18n.h"
#include "learn/training/seeds.h"

namespace qiao::learn {
namespace {

constexpr double kRateFloor = 0.1;  // of the highest, at the end
constexpr std::int64_t kWarmupPart = 10;
constexpr std::int64_t kWarmupMax = 100;

using Clock = std::chrono::steady_clock;

// Of all threads of this process.
double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

}  // namespace

StepLoop::StepLoop(Disk& disk, StepOptions options, std::int64_t tokens, Learner& learner,
                   Ranks& ranks, AdamW& optimiser, Progress& progress,
                   const std::atomic<bool>& stop)
    : options_(std::move(options)),
      tokens_(tokens),
      learner_(learner),
      ranks_(ranks),
      optimiser_(optimiser),
      progress_(progress),
      stop_(stop),
      folder_(disk, options_.out) {}

Status StepLoop::run(Json identity) {
  QIAO_TRY(begin(std::move(identity)));
  progress_.begin(tr(progress_.language(), Text::kLearnPretrainStage), options_.steps, state_.step);
  while (state_.step < options_.steps && !json_bool(state_.notes, "ended").value_or(false)) {
    if (ranks_.first() && folder_.save_is_due()) {
      note_seconds();
      QIAO_TRY(folder_.save(state_, optimiser_));
    }
    auto learnt = learn();
    if (!learnt) return ended_by(std::move(learnt.error()));
    if (!*learnt) return save_and_stop();
    ++state_.step;
    if (state_.step % options_.look_every != 0 && state_.step != options_.steps) continue;
    if (ranks_.first()) QIAO_TRY(look());
    if (Status agreed = agree(); !agreed) return ended_by(std::move(agreed.error()));
  }
  return {};
}

std::int64_t warmup_of(const StepOptions& options) {
  if (options.warmup != kByLength) return options.warmup;
  return std::clamp<std::int64_t>(options.steps / kWarmupPart, 1, kWarmupMax);
}

Json identity_of(const StepOptions& options) {
  return {
      {"batch", options.batch},           {"steps", options.steps},          {"rate", options.rate},
      {"average", options.average},       {"warmup", warmup_of(options)},    {"seed", options.seed},
      {"look_every", options.look_every},  // the best state is that of a look
      {"patience", options.patience},     {"threads", at::get_num_threads()}};
}

Status StepLoop::begin(Json identity) {
  identity.update(identity_of(options_));
  identity["ranks"] = ranks_.count();
  state_.identity = std::move(identity);
  state_.notes = {{"best", -1.0}, {"curve", Json::array()}, {"seconds", 0.0}};
  if (ranks_.first()) {
    QIAO_TRY(folder_.begin(options_.resume, options_.steps, state_, optimiser_, progress_));
  } else if (options_.resume) {
    QIAO_ASSIGN(state_, load_state(folder_.path(), state_.identity, optimiser_));
  }
  QIAO_TRY(ranks_.told(0));  // nobody goes on before all have read
  return {};
}

bool StepLoop::stop_wanted() const {
  return stop_.load() || (options_.stop_after > 0 && state_.step == options_.stop_after);
}

// Alone it is asked first; with others the wish travels with the gradients, so that all stop at one
// step.
Result<bool> StepLoop::learn() {
  if (ranks_.count() == 1 && stop_wanted()) return false;
  const Clock::time_point begin = Clock::now();
  const double cpu_begin = cpu_seconds();
  torch::manual_seed(
      mix_seed(static_cast<std::uint64_t>(options_.seed), static_cast<std::uint64_t>(state_.step)) +
      static_cast<std::uint64_t>(ranks_.rank()));
  const auto [first, last] = ranks_.rows(options_.batch);
  optimiser_.zero_gradients();
  QIAO_ASSIGN(loss_, learner_.add_gradients(state_.step, first, last));
  if (ranks_.count() > 1) {
    const torch::Tensor told = torch::zeros({2});
    told[0] = loss_;
    told[1] = stop_wanted() ? 1.0 : 0.0;
    std::vector<torch::Tensor> shared = {told};
    for (const LearningWeight& weight : optimiser_.weights()) {
      const torch::Tensor& gradient = weight.tensor.grad();
      if (!gradient.defined()) {
        shared.push_back(torch::zeros_like(weight.tensor));
      } else {
        shared.push_back(gradient.is_sparse() ? gradient.to_dense() : gradient);
      }
    }
    QIAO_TRY(ranks_.add_up(shared));
    for (std::size_t i = 1; i < shared.size(); ++i) {
      optimiser_.weights()[i - 1].tensor.mutable_grad() = shared[i];
    }
    loss_ = shared[0][0].item<double>();
    if (shared[0][1].item<double>() > 0) return false;
  }
  if (!std::isfinite(loss_)) {
    return Error{Code::kModelFailed, "the loss is not a number at step " +
                                         std::to_string(state_.step) + ": lower --rate"};
  }
  const double share = warmup_cosine(state_.step, options_.steps, warmup_of(options_), kRateFloor);
  QIAO_TRY(optimiser_.step(options_.rate * share));
  progress_.step(state_.step + 1, loss_, options_.batch * tokens_);
  seconds_ += std::chrono::duration<double>(Clock::now() - begin).count();
  cpu_seconds_ += cpu_seconds() - cpu_begin;
  return true;
}

Status StepLoop::look() {
  const MeanWeights mean(optimiser_);
  const double held_out = learner_.held_out_loss(false);
  const double best = json_number(state_.notes, "best").value_or(-1);
  state_.notes["curve"].push_back({{"step", state_.step}, {"loss", loss_}, {"held_out", held_out}});
  QIAO_TRY(folder_.tell(state_.step, {{"loss/train", loss_}, {"loss/dev", held_out}}));
  progress_.note(tr(progress_.language(), Text::kLearnPretrainStep,
                    {std::to_string(state_.step), fixed_text(loss_, 4), fixed_text(held_out, 4)}));
  QIAO_ASSIGN(const auto line, learner_.show());
  if (line) progress_.note("  " + *line);
  const bool better = best < 0 || held_out < best;
  const std::int64_t waited =
      better ? 0 : json_integer(state_.notes, "looks_since_best").value_or(0) + 1;
  state_.notes["looks_since_best"] = waited;
  if (better) {
    state_.notes["best"] = held_out;
    state_.notes["best_step"] = state_.step;
    QIAO_TRY(learner_.keep(folder_.path()));
  }
  if (options_.patience > 0 && waited >= options_.patience) {
    state_.notes["ended"] = true;
    progress_.note(tr(progress_.language(), Text::kLearnEndedEarly,
                      {std::to_string(state_.step), std::to_string(waited)}));
  }
  return {};
}

Status StepLoop::agree() {
  const bool ended = json_bool(state_.notes, "ended").value_or(false);
  QIAO_ASSIGN(const double told, ranks_.told(ended ? 1 : 0));
  if (told > 0) state_.notes["ended"] = true;
  return {};
}

void StepLoop::note_seconds() {
  state_.notes["seconds"] = json_number(state_.notes, "seconds").value_or(0) + seconds_;
  state_.notes["cpu_seconds"] = json_number(state_.notes, "cpu_seconds").value_or(0) + cpu_seconds_;
  seconds_ = 0;
  cpu_seconds_ = 0;
}

Error StepLoop::save_and_stop() {
  if (!ranks_.first()) return {Code::kCancelled, "stopped with the first rank"};
  note_seconds();
  return folder_.stop(state_, options_.steps, optimiser_);
}

// After a lost rank the first one saves; a step that failed has changed nothing yet.
Error StepLoop::ended_by(Error error) {
  const bool lost = error.code == Code::kUnavailable && ranks_.count() > 1;
  if (!lost || !ranks_.first()) return error;
  const Error saved = save_and_stop();
  return {saved.code == Code::kCancelled ? Code::kUnavailable : saved.code,
          error.message + "; " + saved.message};
}

Json StepLoop::account() const {
  const double seconds = json_number(state_.notes, "seconds").value_or(0) + seconds_;
  const double tokens = double(state_.step * options_.batch * tokens_);
  return {{"options", state_.identity},
          {"steps", state_.step},
          {"best_step", state_.notes["best_step"]},
          {"curve", state_.notes["curve"]},
          {"seconds", seconds},
          {"cpu_seconds", json_number(state_.notes, "cpu_seconds").value_or(0) + cpu_seconds_},
          {"tokens_per_second", tokens / std::max(1e-9, seconds)}};
}

}  // namespace qiao::learn
