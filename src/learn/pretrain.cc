// SPDX-License-Identifier: Apache-2.0
#include "learn/pretrain.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/digest.h"
#include "learn/gzip_reader.h"
#include "learn/language_bundle.h"
#include "learn/optimiser.h"
#include "learn/precision.h"
#include "learn/run_folder.h"
#include "learn/seeds.h"
#include "learn/text_blocks.h"

namespace qiao::learn {
namespace {

constexpr double kRateFloor = 0.1;        // of the highest, at the end
constexpr std::int64_t kLookEvery = 200;  // steps between looks at the held-out text
constexpr std::int64_t kLookBatches = 20;

using Clock = std::chrono::steady_clock;

std::string fixed(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

struct Corpus {
  std::string sha256;
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> held_out;
};

// One run of pretrain().
class Pretrainer {
 public:
  Pretrainer(Disk& disk, const PretrainOptions& options, Progress& progress,
             const std::atomic<bool>& stop, Corpus corpus, LanguageBundle bundle)
      : disk_(disk),
        options_(options),
        progress_(progress),
        stop_(stop),
        folder_(disk, options.out),
        corpus_(std::move(corpus)),
        bundle_(std::move(bundle)),
        optimiser_(learning_weights(*bundle_.model), adam_options(options)) {}

  Result<Json> run() {
    options_.bfloat16 = options_.bfloat16 && cpu_has_bfloat16() &&
                        bundle_.shape.architecture == Architecture::kTransformer;
    state_.identity = identity();
    state_.notes = {{"best", -1.0}, {"curve", Json::array()}, {"seconds", 0.0}};
    QIAO_TRY(folder_.begin(options_.resume, options_.steps, state_, optimiser_, progress_));
    progress_.begin(tr(progress_.language(), Text::kLearnPretrainStage), options_.steps,
                    state_.step);
    while (state_.step < options_.steps) {
      if (stop_wanted()) {
        note_seconds();
        return folder_.stop(state_, options_.steps, optimiser_);
      }
      if (folder_.save_is_due()) {
        note_seconds();
        QIAO_TRY(folder_.save(state_, optimiser_));
      }
      QIAO_TRY(learn());
      ++state_.step;
      if (state_.step % kLookEvery == 0 || state_.step == options_.steps) QIAO_TRY(look());
    }
    return finish();
  }

 private:
  static std::vector<LearningWeight> learning_weights(const LanguageModel& model) {
    std::vector<LearningWeight> out;
    for (const auto& [name, tensor] : weights_of(model)) out.push_back({name, tensor});
    return out;
  }

  static AdamOptions adam_options(const PretrainOptions& options) {
    AdamOptions adam;
    adam.beta2 = 0.99;  // small batches: look back less far (nanoGPT)
    adam.weight_decay = options.weight_decay;
    return adam;
  }

  [[nodiscard]] Json identity() const {
    return {{"text", corpus_.sha256},
            {"shape", to_json(bundle_.shape)},
            {"batch", options_.batch},
            {"steps", options_.steps},
            {"rate", options_.rate},
            {"warmup", options_.warmup},
            {"weight_decay", options_.weight_decay},
            {"dropout", options_.dropout},
            {"held_out", options_.held_out},
            {"seed", options_.seed},
            {"bfloat16", options_.bfloat16},
            {"threads", at::get_num_threads()}};
  }

  [[nodiscard]] bool stop_wanted() const {
    return stop_.load() || (options_.stop_after > 0 && state_.step == options_.stop_after);
  }

  // The time of learning goes into the state before it is saved.
  void note_seconds() {
    state_.notes["seconds"] = json_number(state_.notes, "seconds").value_or(0) + seconds_;
    seconds_ = 0;
  }

  torch::Tensor loss_of(const Blocks& blocks) {
    const Bfloat16Scope scope(options_.bfloat16);
    const torch::Tensor scores = bundle_.model->forward(blocks.ids).to(torch::kFloat);
    return torch::nn::functional::cross_entropy(scores.flatten(0, 1), blocks.targets.flatten());
  }

  Status learn() {
    const Clock::time_point begin = Clock::now();
    const auto seed = mix_seed(static_cast<std::uint64_t>(options_.seed),
                               static_cast<std::uint64_t>(state_.step));
    torch::manual_seed(seed);
    const Blocks blocks = random_blocks(corpus_.train, options_.batch, bundle_.shape.context, seed);
    bundle_.model->train();
    optimiser_.zero_gradients();
    const torch::Tensor loss = loss_of(blocks);
    const double value = loss.item<double>();
    if (!std::isfinite(value)) {
      return Error{Code::kModelFailed, "the loss is not a number at step " +
                                           std::to_string(state_.step) + ": lower --rate"};
    }
    loss.backward();
    const double share = warmup_cosine(state_.step, options_.steps, options_.warmup, kRateFloor);
    QIAO_TRY(optimiser_.step(options_.rate * share));
    progress_.step(state_.step + 1, value, blocks.ids.numel());
    loss_ = value;
    seconds_ += std::chrono::duration<double>(Clock::now() - begin).count();
    return {};
  }

  // Mean loss over the held-out text: all of it, or kLookBatches batches spread over it.
  double held_out_loss(bool all) {
    const torch::NoGradGuard no_grad;
    bundle_.model->eval();
    const auto length = static_cast<std::size_t>(bundle_.shape.context);
    const std::size_t batch = static_cast<std::size_t>(options_.batch) * length;
    const std::size_t batches = (corpus_.held_out.size() - 1) / batch + 1;
    const std::size_t stride =
        all ? 1 : std::max<std::size_t>(1, batches / static_cast<std::size_t>(kLookBatches));
    double sum = 0;
    std::int64_t count = 0;
    for (std::size_t i = 0; i < batches; i += stride) {
      const Blocks blocks =
          next_blocks(corpus_.held_out, options_.batch, bundle_.shape.context, i * batch);
      if (blocks.ids.size(0) == 0) break;
      sum += loss_of(blocks).item<double>() * double(blocks.ids.numel());
      count += blocks.ids.numel();
    }
    return sum / double(std::max<std::int64_t>(1, count));
  }

  Status look() {
    const double held_out = held_out_loss(false);
    const double best = json_number(state_.notes, "best").value_or(-1);
    state_.notes["curve"].push_back(
        {{"step", state_.step}, {"loss", loss_}, {"held_out", held_out}});
    progress_.note(tr(progress_.language(), Text::kLearnPretrainStep,
                      {std::to_string(state_.step), fixed(loss_), fixed(held_out)}));
    if (best >= 0 && held_out >= best) return {};
    state_.notes["best"] = held_out;
    state_.notes["best_step"] = state_.step;
    return save_language_bundle(disk_, folder_.path(), bundle_);
  }

  Json card(double loss) {
    const double seconds = json_number(state_.notes, "seconds").value_or(0) + seconds_;
    const double tokens = double(options_.steps * options_.batch * bundle_.shape.context);
    return {{"kind", "language-model"},
            {"licence", ""},
            {"data",
             {{"file", std::filesystem::path(options_.text).filename().string()},
              {"sha256", corpus_.sha256},
              {"train_tokens", corpus_.train.size()},
              {"held_out_tokens", corpus_.held_out.size()}}},
            {"options", state_.identity},
            {"weights", count_weights(*bundle_.model)},
            {"validation_loss", loss},
            {"best_step", state_.notes["best_step"]},
            {"curve", state_.notes["curve"]},
            {"seconds", seconds},
            {"tokens_per_second", tokens / std::max(1e-9, seconds)},
            {"made_ms", SystemClock().wall_ms()}};
  }

  Result<Json> finish() {
    QIAO_ASSIGN(const LanguageBundle best, load_language_bundle(folder_.path()));
    bundle_.model = best.model;
    bundle_.card = card(held_out_loss(true));
    QIAO_TRY(save_language_bundle(disk_, folder_.path(), bundle_));
    QIAO_TRY(folder_.publish());
    return bundle_.card;
  }

  Disk& disk_;
  PretrainOptions options_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
  RunFolder folder_;
  Corpus corpus_;
  LanguageBundle bundle_;
  AdamW optimiser_;
  TrainState state_;
  double loss_ = 0;
  double seconds_ = 0;  // learning since the last save
};

Status check_options(Disk& disk, const PretrainOptions& options) {
  if (options.batch < 1 || options.steps < 1 || options.warmup < 0 || options.rate <= 0 ||
      options.dropout < 0 || options.dropout >= 1 || options.held_out <= 0 ||
      options.held_out >= 1) {
    return invalid_argument("--batch, --steps, --rate, --dropout or --held-out is out of range");
  }
  return RunFolder(disk, options.out).check();
}

// The text as tokens, its end held out.
Result<Corpus> cut_text(const PretrainOptions& options, const std::string& text,
                        const Characters& characters) {
  std::vector<std::int64_t> tokens = characters.encode(text);
  const auto train = static_cast<std::ptrdiff_t>((1 - options.held_out) * double(tokens.size()));
  Corpus corpus{sha256_hex(text),
                {tokens.begin(), tokens.begin() + train},
                {tokens.begin() + train, tokens.end()}};
  const auto least = static_cast<std::size_t>(options.shape.context) + 1;
  if (corpus.train.size() <= least || corpus.held_out.size() <= least) {
    return invalid_argument(options.text + " is too short for a context of " +
                            std::to_string(options.shape.context));
  }
  return corpus;
}

}  // namespace

Result<Json> pretrain(Disk& disk, const PretrainOptions& options, Progress& progress,
                      const std::atomic<bool>& stop) {
  QIAO_TRY(check_options(disk, options));
  QIAO_ASSIGN(const std::string text, read_gzip_file(options.text, kTextBytesMax));
  QIAO_ASSIGN(Characters characters, Characters::of_text(text));
  LanguageModelShape shape = options.shape;
  shape.vocabulary = static_cast<std::int64_t>(characters.size());
  QIAO_TRY(check_shape(shape));
  QIAO_ASSIGN(Corpus corpus, cut_text(options, text, characters));
  torch::manual_seed(mix_seed(static_cast<std::uint64_t>(options.seed), UINT64_MAX));
  LanguageBundle bundle{
      shape, std::move(characters), make_language_model(shape, options.dropout), {}};
  progress.note(tr(progress.language(), Text::kLearnPretrainPlan,
                   {name_of(shape.architecture), std::to_string(count_weights(*bundle.model)),
                    std::to_string(corpus.train.size()), std::to_string(shape.vocabulary),
                    std::to_string(at::get_num_threads())}));
  Pretrainer pretrainer(disk, options, progress, stop, std::move(corpus), std::move(bundle));
  return pretrainer.run();
}

}  // namespace qiao::learn
