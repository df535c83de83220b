// SPDX-License-Identifier: Apache-2.0
#include "learn/finetune.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "learn/base_model.h"
#include "learn/bundle.h"
#include "learn/evaluate.h"
#include "learn/examples.h"
#include "learn/optimiser.h"
#include "learn/precision.h"
#include "learn/seeds.h"
#include "learn/train_state.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kBatchTokens = 4096;
constexpr std::int64_t kExamplesWanted = 60'000;  // seen in a run whose length is not told
constexpr std::int64_t kEpochsMin = 3;
constexpr std::int64_t kEpochsMax = 20;
constexpr double kRateClassify = 2e-4;
constexpr double kRateTag = 2e-4;
constexpr double kRateFloor = 0.02;     // of the highest, at the end
constexpr double kUnknownDevMax = 0.2;  // share of dev rows with labels train lacks
constexpr auto kSaveEvery = std::chrono::minutes(10);

using Clock = std::chrono::steady_clock;

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", 100 * share);
  return text;
}

// The rates fall from the head down to the word table.
std::vector<LearningWeight> learning_weights(const TextModel& model,
                                             const FinetuneOptions& options) {
  const auto layers = static_cast<double>(model->encoder->layers.size());
  std::vector<LearningWeight> out;
  for (const auto& [name, tensor] : weights_of(model)) {
    constexpr std::string_view kLayer = "encoder.layer.";
    double below = layers + 1;  // embeddings
    if (name.starts_with(kLayer)) below = layers - std::stod(name.substr(kLayer.size()));
    const bool head = name.starts_with("classifier.");
    const double scale = head ? options.head_rate : std::pow(options.layer_decay, below);
    out.push_back({name, tensor, scale});
  }
  return out;
}

// Mean count over count: rare labels weigh more. Undefined when not wanted.
torch::Tensor label_weights(const std::vector<Example>& examples, std::size_t labels, bool wanted) {
  if (!wanted) return {};
  const torch::Tensor counts = torch::zeros({static_cast<std::int64_t>(labels)});
  for (const Example& example : examples) {
    for (const std::int64_t target : example.targets) {
      if (target >= 0) counts[target] += 1;
    }
  }
  const torch::Tensor used = counts.clamp_min(1);
  return used.mean() / used;
}

// One run of finetune().
class Finetuner {
 public:
  Finetuner(Disk& disk, const FinetuneOptions& options, Progress& progress,
            const std::atomic<bool>& stop, RowFile train, RowFile dev, Json base, Bundle bundle)
      : disk_(disk),
        options_(options),
        progress_(progress),
        stop_(stop),
        partial_(options.out + ".partial"),
        train_(std::move(train)),
        dev_(std::move(dev)),
        base_(std::move(base)),
        bundle_(std::move(bundle)),
        optimiser_(learning_weights(bundle_.model, options), {}) {}

  Result<Json> run() {
    QIAO_TRY(prepare());
    while (state_.epoch < options_.epochs) {
      QIAO_TRY(run_epoch());
      QIAO_TRY(end_epoch());
    }
    return finish();
  }

 private:
  Status prepare() {
    exam_ = make_exam(dev_, options_.task, bundle_.tokenizer, bundle_.labels, bundle_.tokens_max);
    examples_ =
        make_exam(train_, options_.task, bundle_.tokenizer, bundle_.labels, bundle_.tokens_max)
            .examples;
    if (options_.epochs == 0) {
      const auto rows = static_cast<std::int64_t>(examples_.size());
      options_.epochs = std::clamp(kExamplesWanted / rows, kEpochsMin, kEpochsMax);
    }
    if (options_.rate == 0) {
      options_.rate = options_.task == Task::kTag ? kRateTag : kRateClassify;
    }
    options_.bfloat16 = options_.bfloat16 && cpu_has_bfloat16();
    class_weights_ = label_weights(examples_, bundle_.labels.size(), options_.class_weights);
    for (std::int64_t epoch = 0; epoch < options_.epochs; ++epoch) {
      steps_ += static_cast<std::int64_t>(batches_of(epoch).size());
    }
    state_.identity = identity();
    state_.notes = {{"best", -1.0}, {"epochs", Json::array()}, {"epoch_loss", 0.0}};
    return options_.resume ? resume() : make_folder();
  }

  Status make_folder() {
    std::error_code fault;
    std::filesystem::remove_all(partial_, fault);
    return disk_.make_directories(partial_);
  }

  Status resume() {
    QIAO_ASSIGN(state_, load_state(partial_, state_.identity, optimiser_));
    progress_.note(tr(progress_.language(), Text::kLearnResumed,
                      {std::to_string(state_.step), std::to_string(steps_)}));
    return {};
  }

  // What must be equal for a saved state to be ours.
  [[nodiscard]] Json identity() const {
    return {{"train", train_.sha256},
            {"dev", dev_.sha256},
            {"base", base_["sha256"]},
            {"task", name_of(options_.task)},
            {"seed", options_.seed},
            {"epochs", options_.epochs},
            {"batch", options_.batch},
            {"rate", options_.rate},
            {"head_rate", options_.head_rate},
            {"layer_decay", options_.layer_decay},
            {"warmup", options_.warmup},
            {"dropout", options_.dropout},
            {"smoothing", options_.smoothing},
            {"class_weights", options_.class_weights},
            {"tokens_max", options_.tokens_max},
            {"bfloat16", options_.bfloat16},
            {"threads", at::get_num_threads()}};
  }

  [[nodiscard]] std::int64_t stop_step() const {
    return options_.stop_after > 0 ? options_.stop_after : -1;
  }

  [[nodiscard]] std::uint64_t seed() const { return static_cast<std::uint64_t>(options_.seed); }

  [[nodiscard]] std::vector<std::vector<std::size_t>> batches_of(std::int64_t epoch) const {
    return plan_batches(examples_, static_cast<std::size_t>(options_.batch), kBatchTokens,
                        mix_seed(seed(), static_cast<std::uint64_t>(epoch) + 1));
  }

  Status run_epoch() {
    const auto batches = batches_of(state_.epoch);
    const auto count = static_cast<std::int64_t>(batches.size());
    progress_.begin(tr(progress_.language(), Text::kLearnEpoch,
                       {std::to_string(state_.epoch + 1), std::to_string(options_.epochs)}),
                    count, state_.batch_in_epoch);
    bundle_.model->train();
    epoch_loss_ = json_number(state_.notes, "epoch_loss").value_or(0);
    Clock::time_point last = Clock::now();
    for (; state_.batch_in_epoch < count; ++state_.batch_in_epoch, ++state_.step) {
      if (stop_.load() || state_.step == stop_step()) return interrupted();
      if (Clock::now() - saved_ > kSaveEvery) QIAO_TRY(save());
      const auto& chosen = batches[static_cast<std::size_t>(state_.batch_in_epoch)];
      QIAO_ASSIGN(const double loss, learn(chosen));
      epoch_loss_ += loss / static_cast<double>(count);
      const Clock::time_point now = Clock::now();
      seconds_ += std::chrono::duration<double>(now - std::exchange(last, now)).count();
    }
    return {};
  }

  // One step. Its dropout depends on seed and step alone, so that a resumed run repeats it.
  Result<double> learn(const std::vector<std::size_t>& chosen) {
    const auto step = static_cast<std::uint64_t>(state_.step);
    torch::manual_seed(mix_seed(seed(), (std::uint64_t{1} << 32U) + step));
    const Batch batch = make_batch(examples_, chosen, options_.task, bundle_.tokenizer.pad());
    optimiser_.zero_gradients();
    const torch::Tensor loss = loss_of(batch);
    const double value = loss.item<double>();
    if (!std::isfinite(value)) return not_a_number(chosen);
    loss.backward();
    const auto warmup = static_cast<std::int64_t>(options_.warmup * static_cast<double>(steps_));
    const double share = warmup_cosine(state_.step, steps_, warmup, kRateFloor);
    QIAO_TRY(optimiser_.step(options_.rate * share));
    progress_.step(state_.batch_in_epoch + 1, value, batch.tokens);
    return value;
  }

  torch::Tensor loss_of(const Batch& batch) {
    const Bfloat16Scope scope(options_.bfloat16);
    const torch::Tensor scores = bundle_.model(batch.ids, batch.present).to(torch::kFloat);
    namespace F = torch::nn::functional;
    auto how =
        F::CrossEntropyFuncOptions().ignore_index(kNoTarget).label_smoothing(options_.smoothing);
    if (class_weights_.defined()) how.weight(class_weights_);
    return F::cross_entropy(scores.flatten(0, -2), batch.targets.flatten(), how);
  }

  Error not_a_number(const std::vector<std::size_t>& chosen) const {
    std::string lines;
    for (const std::size_t i : chosen) {
      lines += (lines.empty() ? "" : ", ") + std::to_string(train_.rows[i].line);
    }
    return {Code::kModelFailed, "the loss is not a number at step " + std::to_string(state_.step) +
                                    ": lower --rate, or look at the rows of " + train_.path +
                                    " in lines " + lines};
  }

  Status end_epoch() {
    const Bundle& bundle = bundle_;
    auto report = evaluate(bundle_.model, exam_, bundle.labels, bundle.tokenizer.pad(),
                           options_.bfloat16, [this](double) { return !stop_.load(); });
    if (!report && report.error().code == Code::kCancelled) return interrupted();
    QIAO_TRY(report);
    const double got = quality(*report, options_.task);
    const bool best = got > json_number(state_.notes, "best").value_or(-1);
    state_.notes["epochs"].push_back({{"epoch", state_.epoch + 1},
                                      {"train_loss", epoch_loss_},
                                      {"dev_loss", report->loss},
                                      {"dev", got}});
    if (best) {
      state_.notes["best"] = got;
      state_.notes["best_epoch"] = state_.epoch + 1;
      state_.notes["dev"] = to_json(*report, options_.task);
    }
    state_.epoch += 1;
    state_.batch_in_epoch = 0;
    state_.notes["epoch_loss"] = 0.0;
    progress_.note(tr(progress_.language(), best ? Text::kLearnEpochBest : Text::kLearnEpochDone,
                      {std::to_string(state_.epoch), percent(got), clock_text(seconds_)}));
    if (!best) return {};
    bundle_.card = card();
    return save_bundle(disk_, partial_, bundle_);
  }

  [[nodiscard]] Json card() const {
    Json made = state_.identity;
    for (const char* key : {"train", "dev", "base", "task"}) made.erase(key);
    const auto data = [](const RowFile& file) {
      return Json{{"file", std::filesystem::path(file.path).filename().string()},
                  {"sha256", file.sha256},
                  {"rows", file.rows.size()}};
    };
    return {{"kind", "bundle"},
            {"task", name_of(options_.task)},
            {"licence", base_["licence"]},
            {"base", base_},
            {"data", {{"train", data(train_)}, {"dev", data(dev_)}}},
            {"options", made},
            {"dev", state_.notes["dev"]},
            {"best_epoch", state_.notes["best_epoch"]},
            {"epochs", state_.notes["epochs"]},
            {"made_ms", SystemClock().wall_ms()}};
  }

  Status save() {
    saved_ = Clock::now();
    state_.notes["epoch_loss"] = epoch_loss_;
    return save_state(disk_, partial_, state_, optimiser_);
  }

  Error interrupted() {
    if (Status saved = save(); !saved) return std::move(saved.error());
    return {Code::kCancelled, "stopped at step " + std::to_string(state_.step) + " of " +
                                  std::to_string(steps_) + " and saved in " + partial_ +
                                  ": the same command with --resume goes on from there"};
  }

  Result<Json> finish() {
    QIAO_ASSIGN(const auto names, disk_.list(partial_));
    for (const std::string& name : names) {
      if (name.starts_with("state")) QIAO_TRY(disk_.remove(partial_ + "/" + name));
    }
    bundle_.card = card();
    QIAO_TRY(write_file_atomic(disk_, partial_ + "/card.json", dump_json(bundle_.card, 2) + "\n"));
    QIAO_TRY(disk_.rename(partial_, options_.out));
    return bundle_.card;
  }

  Disk& disk_;
  FinetuneOptions options_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
  std::string partial_;
  RowFile train_;
  RowFile dev_;
  Json base_;  // name, sha256, licence
  Bundle bundle_;
  AdamW optimiser_;
  Exam exam_;
  std::vector<Example> examples_;
  torch::Tensor class_weights_;
  TrainState state_;
  std::int64_t steps_ = 0;
  double epoch_loss_ = 0;
  double seconds_ = 0;
  Clock::time_point saved_ = Clock::now();
};

Status check_options(Disk& disk, const FinetuneOptions& options) {
  if (options.batch < 1 || options.epochs < 0 || options.tokens_max < 2) {
    return invalid_argument("--batch, --epochs and --tokens must be positive");
  }
  if (options.rate < 0 || options.dropout < 0 || options.dropout >= 1 || options.smoothing < 0 ||
      options.smoothing >= 1 || options.warmup < 0 || options.warmup >= 1) {
    return invalid_argument("--rate, --dropout, --smoothing and --warmup are out of range");
  }
  if (disk.exists(options.out)) {
    return Error{Code::kAlreadyExists,
                 options.out + " is there already: remove it or give another --out"};
  }
  return {};
}

// The base with a fresh head. Takes the base's tokenizer.
Result<Bundle> bundle_of(BaseModel& base, const FinetuneOptions& options, Labels labels) {
  torch::manual_seed(mix_seed(static_cast<std::uint64_t>(options.seed), 0));
  TextModel model(base.shape, options.task, static_cast<std::int64_t>(labels.size()),
                  options.dropout);
  QIAO_TRY(load_weights(weights_of(model->encoder), *base.weights));
  const auto tokens_max =
      static_cast<std::size_t>(std::min(options.tokens_max, base.shape.positions));
  return Bundle{base.shape,        options.task, tokens_max, std::move(base.tokenizer),
                std::move(labels), model,        {}};
}

}  // namespace

Result<Json> finetune(Disk& disk, const FinetuneOptions& options, Progress& progress,
                      const std::atomic<bool>& stop) {
  QIAO_TRY(check_options(disk, options));
  QIAO_ASSIGN(RowFile train, read_rows(options.train, options.task));
  QIAO_ASSIGN(RowFile dev, read_rows(options.dev, options.task));
  QIAO_ASSIGN(Labels labels, Labels::of_rows(train, options.task));
  const UnknownLabels unknown = find_unknown(dev, labels);
  if (static_cast<double>(unknown.rows) > kUnknownDevMax * static_cast<double>(dev.rows.size())) {
    return invalid_argument(unknown.first + " is no label of " + train.path + ", and so with " +
                            std::to_string(unknown.rows) + " rows: do the files belong together?");
  }
  if (unknown.rows > 0) {
    progress.note(tr(progress.language(), Text::kLearnUnknownLabel,
                     {unknown.first, std::to_string(unknown.rows)}));
  }
  QIAO_ASSIGN(BaseModel base, open_base(options.base));
  progress.note(tr(progress.language(), Text::kLearnPlan,
                   {base.name, std::to_string(train.rows.size()), std::to_string(dev.rows.size()),
                    std::to_string(labels.size()), std::to_string(at::get_num_threads())}));
  QIAO_ASSIGN(Bundle bundle, bundle_of(base, options, std::move(labels)));
  const Json about = {{"name", base.name}, {"sha256", base.sha256}, {"licence", base.licence}};
  Finetuner finetuner(disk, options, progress, stop, std::move(train), std::move(dev), about,
                      std::move(bundle));
  return finetuner.run();
}

}  // namespace qiao::learn
