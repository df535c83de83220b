// SPDX-License-Identifier: Apache-2.0
#include "learn/training/finetuner.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/i18n.h"
#include "learn/data/examples.h"
#include "learn/evaluation/calibration.h"
#include "learn/files/json_file.h"
#include "learn/files/model_card.h"
#include "learn/models/lora.h"
#include "learn/training/contrast.h"
#include "learn/training/precision.h"
#include "learn/training/seeds.h"
#include "learn/training/task_loss.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kBatchTokens = 4096;
constexpr double kRateFloor = 0.02;  // of the highest, at the end
// How many examples a run sees whose length is not told: many labels need more, and a head for
// every piece more than one for the text.
constexpr double kExamplesWanted = 20'000;
constexpr double kExamplesPerLabel = 600;
constexpr double kTaggedWanted = 64'000;
// Long texts to classify: no more tokens than that, about half an hour on two slow cores.
constexpr double kTokensWanted = 2e6;
constexpr double kLongEpochsMin = 2;
// With transitions, on 3,000 sentences of peopledaily, small steps had an entity F1 of 68.5
// and 70.4 after one and two epochs, the batch and rate of texts 62.7 and 70.1 (one seed each).
constexpr std::int64_t kBatch = 32;
constexpr std::int64_t kTaggedBatch = 8;
constexpr double kRate = 2e-4;
constexpr double kTaggedRate = 1e-4;
// R-Drop, where two answers to each text read no more tokens than that in all epochs.
constexpr double kRDrop = 1;
constexpr double kRDropTokens = 3e6;
constexpr std::int64_t kPatience = 3;  // epochs without a better one
constexpr double kEpochsMin = 3;
constexpr double kEpochsMax = 10;
// Of adapters, times the rate of all weights: they begin with no change at all.
constexpr double kAdapterRate = 5;
constexpr const char* kCardFile = "/card.json";

using Clock = std::chrono::steady_clock;

// The rates fall from the head down to the word table; adapters have one.
std::vector<LearningWeight> learning_weights(TextModel& model, const FinetuneOptions& options) {
  std::vector<LearningWeight> out;
  for (const auto& [name, tensor] : adapter_weights(*model->encoder)) {
    out.push_back({name, tensor, kAdapterRate});
  }
  const bool adapted = !out.empty();
  const auto layers = static_cast<double>(model->encoder->layers.size());
  for (const auto& [name, tensor] : weights_of(model)) {
    constexpr std::string_view kLayer = "encoder.layer.";
    double below = layers + 1;  // embeddings
    if (name.starts_with(kLayer)) below = layers - std::stod(name.substr(kLayer.size()));
    const bool head = name.starts_with("classifier.");
    const double scale = head ? options.head_rate : std::pow(options.layer_decay, below);
    if (head || !adapted) out.push_back({name, tensor, scale});
  }
  return out;
}

// Mean count over count: rare labels weigh more. Of the target in place `head` of each example.
torch::Tensor label_weights(const std::vector<Example>& examples, std::size_t head,
                            std::size_t labels) {
  const torch::Tensor counts = torch::zeros({static_cast<std::int64_t>(labels)});
  for (const Example& example : examples) {
    const std::int64_t target = example.targets[head];
    if (target >= 0) counts[target] += 1;
  }
  const torch::Tensor used = counts.clamp_min(1);
  return used.mean() / used;
}

// The same for each label in the order of the outputs.
torch::Tensor label_weights(const std::vector<Example>& examples, const Labels& labels) {
  if (labels.heads().empty()) return label_weights(examples, 0, labels.size());
  std::vector<torch::Tensor> weights;
  for (const LabelHead& head : labels.heads()) {
    weights.push_back(label_weights(examples, weights.size(), head.labels.size()));
  }
  return torch::cat(weights);
}

double tokens_of(const std::vector<Example>& examples) {
  double tokens = 0;
  for (const Example& example : examples) tokens += static_cast<double>(example.text.ids.size());
  return tokens;
}

std::int64_t epochs_for(Task task, const std::vector<Example>& examples, std::size_t labels) {
  const auto rows = static_cast<double>(examples.size());
  const auto rounded = [](double epochs, double least) {
    return std::clamp(std::round(epochs), least, kEpochsMax);
  };
  if (task == Task::kTag)
    return static_cast<std::int64_t>(rounded(kTaggedWanted / rows, kEpochsMin));
  const double wanted = kExamplesWanted + kExamplesPerLabel * static_cast<double>(labels);
  return static_cast<std::int64_t>(
      std::min(rounded(wanted / rows, kEpochsMin),
               rounded(kTokensWanted / tokens_of(examples), kLongEpochsMin)));
}

FinetuneOptions with_defaults(FinetuneOptions options) {
  const bool tags = options.task == Task::kTag;
  if (options.batch == 0) options.batch = tags ? kTaggedBatch : kBatch;
  if (options.rate == 0) options.rate = tags ? kTaggedRate : kRate;
  return options;
}

Json about(const RowFile& file) {
  return {{"file", std::filesystem::path(file.path).filename().string()},
          {"sha256", file.sha256},
          {"rows", file.rows.size()}};
}

}  // namespace

Finetuner::Finetuner(Disk& disk, const FinetuneOptions& options, Progress& progress,
                     const std::atomic<bool>& stop, FinetuneStart start)
    : disk_(disk),
      options_(with_defaults(options)),
      progress_(progress),
      stop_(stop),
      start_(std::move(start)),
      folder_(disk, options.out),
      optimiser_(learning_weights(start_.bundle.model, options), {}) {}

Result<Json> Finetuner::run() {
  prepare();
  if (options_.resume && disk_.exists(options_.out + kCardFile)) return finished();
  QIAO_TRY(folder_.begin(options_.resume, steps_, state_, optimiser_, progress_));
  if (start_.teacher) {
    QIAO_ASSIGN(teacher_, start_.teacher());
  }
  while (epochs_done() < options_.epochs && !stalled()) {
    QIAO_TRY(run_epoch());
    QIAO_TRY(contrasting() ? end_contrast() : end_epoch());
  }
  Json made = card();
  if (gives_label(options_.task) || options_.task == Task::kHeads) {
    QIAO_ASSIGN(made["calibration"], calibration());
  }
  QIAO_TRY(write_card(disk_, folder_.path(), made));
  QIAO_TRY(folder_.publish());
  return made;
}

// The card of an earlier run that came to its end.
Result<Json> Finetuner::finished() const {
  QIAO_ASSIGN(Json made, read_json_file(options_.out + kCardFile));
  if (made.contains("options") && made["options"] == state_.identity) return made;
  return Error{Code::kPrecondition, options_.out + " is of another run: remove it"};
}

void Finetuner::prepare() {
  const Bundle& bundle = start_.bundle;
  const auto ready = [&](const RowFile& file) {
    return make_exam(file, bundle.task, bundle.tokenizer, bundle.labels, bundle.tokens_max);
  };
  exam_ = ready(start_.dev);
  examples_ = ready(start_.train).examples;
  if (options_.task == Task::kRegress) set_scale();
  if (options_.epochs == 0) {
    options_.epochs = epochs_for(options_.task, examples_, bundle.labels.size());
  }
  if (options_.r_drop == kByTask) {
    const double read = 2 * static_cast<double>(options_.epochs) * tokens_of(examples_);
    const bool fits = gives_label(options_.task) && options_.adversary == 0;
    options_.r_drop = fits && read <= kRDropTokens ? kRDrop : 0;
  }
  options_.bfloat16 = options_.bfloat16 && has_bfloat16();
  if (options_.class_weights) class_weights_ = label_weights(examples_, bundle.labels);
  for (std::int64_t epoch = 0; epoch < options_.contrast + options_.epochs; ++epoch) {
    if (epoch == options_.contrast) contrast_steps_ = steps_;
    steps_ += static_cast<std::int64_t>(batches_of(epoch).size());
  }
  if (options_.lora > 0) tell_lora();
  state_.identity = identity();
  state_.notes = {{"epochs", Json::array()}, {"epoch_loss", 0.0}};
}

void Finetuner::tell_lora() {
  std::int64_t learnt = 0;
  for (const LearningWeight& weight : optimiser_.weights()) learnt += weight.tensor.numel();
  std::int64_t all = 0;
  for (const torch::Tensor& weight : start_.bundle.model->parameters()) all += weight.numel();
  progress_.note(tr(progress_.language(), Text::kLearnLoraPlan,
                    {std::to_string(learnt), std::to_string(all - learnt)}));
}

// By mean and deviation of the numbers to learn.
void Finetuner::set_scale() {
  const auto count = static_cast<double>(examples_.size());
  double mean = 0;
  for (const Example& example : examples_) mean += example.number / count;
  double variance = 0;
  for (const Example& example : examples_) {
    variance += (example.number - mean) * (example.number - mean) / count;
  }
  start_.bundle.model->set_scale(mean, std::sqrt(variance), bool(start_.teacher));
}

// What must be equal for a saved state, or a finished run, to be ours.
Json Finetuner::identity() const {
  return {{"train", start_.train.sha256},
          {"dev", start_.dev.sha256},
          {"base", start_.base["sha256"]},
          {"task", name_of(options_.task)},
          {"taught", start_.taught},
          {"layers", start_.bundle.shape.layers},
          {"seed", options_.seed},
          {"epochs", options_.epochs},
          {"contrast", options_.contrast},
          {"lora", options_.lora},
          {"batch", options_.batch},
          {"rate", options_.rate},
          {"head_rate", options_.head_rate},
          {"layer_decay", options_.layer_decay},
          {"warmup", options_.warmup},
          {"dropout", options_.dropout},
          {"smoothing", options_.smoothing},
          {"adversary", options_.adversary},
          {"r_drop", options_.r_drop},
          {"class_weights", options_.class_weights},
          {"tokens_max", options_.tokens_max},
          {"bfloat16", options_.bfloat16},
          {"threads", at::get_num_threads()}};
}

std::vector<Finetuner::Chosen> Finetuner::batches_of(std::int64_t epoch) const {
  const auto plan = epoch < options_.contrast ? plan_pairs : plan_batches;
  return plan(examples_, static_cast<std::size_t>(options_.batch), kBatchTokens,
              mix_seed(seed(), static_cast<std::uint64_t>(epoch) + 1));
}

// True when dev has not risen for so long that it will not any more.
bool Finetuner::stalled() const {
  const std::int64_t best = json_integer(state_.notes, "best_epoch").value_or(epochs_done());
  return epochs_done() - best >= kPatience;
}

bool Finetuner::stop_wanted() const {
  return stop_.load() || (options_.stop_after > 0 && state_.step == options_.stop_after);
}

std::string Finetuner::stage() const {
  const std::int64_t at = contrasting() ? state_.epoch : epochs_done();
  const std::int64_t of = contrasting() ? options_.contrast : options_.epochs;
  return tr(progress_.language(), contrasting() ? Text::kLearnContrastStage : Text::kLearnEpoch,
            {std::to_string(at + 1), std::to_string(of)});
}

// It rises and falls once for contrast and once for the labels.
double Finetuner::rate() const {
  const std::int64_t at = contrasting() ? state_.step : state_.step - contrast_steps_;
  const std::int64_t of = contrasting() ? contrast_steps_ : steps_ - contrast_steps_;
  const auto warmup = static_cast<std::int64_t>(options_.warmup * static_cast<double>(of));
  return options_.rate * warmup_cosine(at, of, warmup, kRateFloor);
}

Status Finetuner::run_epoch() {
  const auto batches = batches_of(state_.epoch);
  const auto count = static_cast<std::int64_t>(batches.size());
  progress_.begin(stage(), count, state_.batch_in_epoch);
  start_.bundle.model->train();
  epoch_loss_ = json_number(state_.notes, "epoch_loss").value_or(0);
  Clock::time_point last = Clock::now();
  for (; state_.batch_in_epoch < count; ++state_.batch_in_epoch, ++state_.step) {
    state_.notes["epoch_loss"] = epoch_loss_;
    if (stop_wanted()) return folder_.stop(state_, steps_, optimiser_);
    if (folder_.save_is_due()) QIAO_TRY(folder_.save(state_, optimiser_));
    QIAO_ASSIGN(const double loss, learn(batches[static_cast<std::size_t>(state_.batch_in_epoch)]));
    epoch_loss_ += loss / static_cast<double>(count);
    const Clock::time_point now = Clock::now();
    seconds_ += std::chrono::duration<double>(now - std::exchange(last, now)).count();
  }
  return {};
}

// One step. Its dropout depends on seed and step alone, so that a resumed run repeats it.
Result<double> Finetuner::learn(const Chosen& chosen) {
  constexpr std::uint64_t kSteps = std::uint64_t{1} << 32U;  // apart from the seeds of epochs
  torch::manual_seed(mix_seed(seed(), kSteps + static_cast<std::uint64_t>(state_.step)));
  const Batch batch = make_batch(examples_, chosen, options_.task, start_.bundle.tokenizer.pad());
  optimiser_.zero_gradients();
  const torch::Tensor loss = loss_of(batch, chosen);
  const double value = loss.item<double>();
  if (!std::isfinite(value)) return not_a_number(chosen);
  loss.backward();
  if (options_.adversary > 0) learn_against_push(batch, chosen);
  QIAO_TRY(optimiser_.step(rate()));
  progress_.step(state_.batch_in_epoch + 1, value, batch.tokens);
  return value;
}

// Adversarial training (Miyato et al. 2017): the words of the batch are pushed to where the loss
// rises fastest, and what that teaches is added to the gradients.
void Finetuner::learn_against_push(const Batch& batch, const Chosen& chosen) {
  torch::Tensor& table = start_.bundle.model->encoder->words->weight;
  const torch::Tensor gradient = table.grad().coalesce();
  const torch::Tensor rows = gradient._indices()[0];
  const double length = gradient._values().norm().item<double>();
  if (length == 0 || !std::isfinite(length)) return;
  torch::Tensor before;
  {
    const torch::NoGradGuard no_grad;
    before = table.index_select(0, rows);
    table.index_add_(0, rows, gradient._values(), options_.adversary / length);
  }
  loss_of(batch, chosen).backward();
  const torch::NoGradGuard no_grad;
  table.index_copy_(0, rows, before);
}

torch::Tensor Finetuner::loss_of(const Batch& batch, const Chosen& chosen) {
  const Bfloat16Scope scope(options_.bfloat16);
  TextModel& model = start_.bundle.model;
  Relations seen;
  const TextOutput output = model->run(batch.ids, batch.present, batch.segments,
                                       teacher_ && teacher_->wants_relations() ? &seen : nullptr);
  if (contrasting()) return contrast_loss(output.vectors.to(torch::kFloat), batch.targets);
  const LabelLoss how{options_.smoothing, class_weights_};
  torch::Tensor own = task_loss(start_.bundle, output.scores, batch.targets, how);
  if (options_.r_drop > 0) own = with_another_dropout(own, output, batch, how);
  if (!teacher_) return own;
  return teacher_->loss(start_.bundle, own, batch, chosen, output, seen);
}

// R-Drop (Liang et al. 2021): the batch is answered again under another dropout; both answers shall
// be right, and alike.
torch::Tensor Finetuner::with_another_dropout(const torch::Tensor& loss, const TextOutput& output,
                                              const Batch& batch, const LabelLoss& how) {
  const Bundle& bundle = start_.bundle;
  TextModel model = bundle.model;
  const TextOutput other = model->run(batch.ids, batch.present, batch.segments);
  const torch::Tensor one = output.scores.to(torch::kFloat);
  const torch::Tensor two = other.scores.to(torch::kFloat);
  const torch::Tensor apart = answers_apart(bundle, one, two, batch.targets, 1) +
                              answers_apart(bundle, two, one, batch.targets, 1);
  return (loss + task_loss(bundle, two, batch.targets, how)) / 2 + options_.r_drop / 2 * apart;
}

Error Finetuner::not_a_number(const Chosen& chosen) const {
  std::string lines;
  for (const std::size_t i : chosen) {
    lines += (lines.empty() ? "" : ", ") + std::to_string(start_.train.rows[i].line);
  }
  return {Code::kModelFailed, "the loss is not a number at step " + std::to_string(state_.step) +
                                  ": lower --rate, or look at the rows of " + start_.train.path +
                                  " in lines " + lines};
}

Status Finetuner::end_contrast() {
  QIAO_TRY(folder_.tell(state_.step, {{"loss/contrast", epoch_loss_}}));
  progress_.note(
      tr(progress_.language(), Text::kLearnContrastDone,
         {std::to_string(state_.epoch + 1), fixed_text(epoch_loss_, 4), clock_text(seconds_)}));
  begin_next();
  return {};
}

void Finetuner::begin_next() {
  state_.epoch += 1;
  state_.batch_in_epoch = 0;
  state_.notes["epoch_loss"] = 0.0;
}

Status Finetuner::end_epoch() {
  Bundle& bundle = start_.bundle;
  auto report = evaluate(bundle.model, exam_, bundle.labels, bundle.tokenizer.pad(),
                         options_.bfloat16, [this](double) { return !stop_.load(); });
  if (!report && report.error().code == Code::kCancelled) {
    state_.notes["epoch_loss"] = epoch_loss_;
    return folder_.stop(state_, steps_, optimiser_);
  }
  QIAO_TRY(report);
  const auto so_far = json_number(state_.notes, "best");
  const bool best = !so_far || quality(*report, options_.task) > *so_far;
  note_epoch(*report, best);
  QIAO_TRY(folder_.tell(state_.step, {{"loss/train", epoch_loss_},
                                      {"loss/dev", report->loss},
                                      {"quality/dev", quality(*report, options_.task)}}));
  begin_next();
  if (!best) return {};
  bundle.card = card();
  return save_bundle(disk_, folder_.path(), bundle);
}

void Finetuner::note_epoch(const Report& report, bool best) {
  const double got = quality(report, options_.task);
  const std::int64_t epoch = epochs_done() + 1;
  state_.notes["epochs"].push_back(
      {{"epoch", epoch}, {"train_loss", epoch_loss_}, {"dev_loss", report.loss}, {"dev", got}});
  if (best) {
    state_.notes["best"] = got;
    state_.notes["best_epoch"] = epoch;
    state_.notes["dev"] = to_json(report, options_.task);
  }
  progress_.note(tr(progress_.language(), best ? Text::kLearnEpochBest : Text::kLearnEpochDone,
                    {std::to_string(epoch), percent_text(got), clock_text(seconds_)}));
}

// How far the best epoch's scores can be trusted, from dev.
Result<Json> Finetuner::calibration() {
  QIAO_ASSIGN(Bundle best, load_bundle(folder_.path()));
  const torch::NoGradGuard no_grad;
  const auto rows = static_cast<std::int64_t>(exam_.examples.size());
  const torch::Tensor scores = torch::zeros({rows, best.model->head->weight.size(0)});
  const auto heads = static_cast<std::int64_t>(exam_.examples.front().targets.size());
  const torch::Tensor targets = torch::zeros({rows, heads}, torch::kLong);
  for (const auto& chosen : plan_batches_in_order(exam_.examples, kAskedTexts, kAskedTokens)) {
    const Batch batch = make_batch(exam_.examples, chosen, options_.task, best.tokenizer.pad());
    const torch::Tensor places =
        torch::tensor(std::vector<std::int64_t>(chosen.begin(), chosen.end()));
    const Bfloat16Scope scope(options_.bfloat16);
    const torch::Tensor given = best.model(batch.ids, batch.present, batch.segments);
    scores.index_copy_(0, places, given.cpu().to(torch::kFloat));
    targets.index_copy_(0, places, batch.targets.view({-1, heads}));
  }
  return options_.task == Task::kHeads ? heads_calibration(scores, targets)
                                       : calibrate(scores, targets.select(1, 0));
}

// Of each head by the rows that have a label for it.
Json Finetuner::heads_calibration(const torch::Tensor& scores, const torch::Tensor& targets) const {
  Json made = {{"heads", Json::object()}};
  const std::vector<LabelHead>& heads = start_.bundle.labels.heads();
  for (std::size_t i = 0; i < heads.size(); ++i) {
    std::vector<std::int64_t> labelled;
    for (std::size_t row = 0; row < start_.dev.rows.size(); ++row) {
      if (start_.dev.rows[row].labels.contains(heads[i].name)) {
        labelled.push_back(static_cast<std::int64_t>(row));
      }
    }
    if (labelled.empty()) continue;
    const torch::Tensor rows = torch::tensor(labelled);
    const auto outputs = static_cast<std::int64_t>(heads[i].labels.size());
    made["heads"][heads[i].name] =
        calibrate(scores.narrow(1, heads[i].begin, outputs).index_select(0, rows),
                  targets.select(1, static_cast<std::int64_t>(i)).index_select(0, rows));
  }
  return made;
}

Json Finetuner::card() const {
  return {{"kind", "bundle"},
          {"task", name_of(options_.task)},
          {"licence", start_.base["licence"]},
          {"base", start_.base},
          {"data", {{"train", about(start_.train)}, {"dev", about(start_.dev)}}},
          {"options", state_.identity},
          {"dev", state_.notes["dev"]},
          {"best_epoch", state_.notes["best_epoch"]},
          {"epochs", state_.notes["epochs"]},
          {"made_ms", SystemClock().wall_ms()}};
}

}  // namespace qiao::learn
