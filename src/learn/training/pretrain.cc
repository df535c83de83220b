// SPDX-License-Identifier: Apache-2.0
#include "learn/training/pretrain.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/i18n.h"
#include "learn/data/gzip_reader.h"
#include "learn/data/text_blocks.h"
#include "learn/data/token_corpus.h"
#include "learn/files/decoder_gguf.h"
#include "learn/files/language_bundle.h"
#include "learn/training/optimiser.h"
#include "learn/training/precision.h"
#include "learn/training/run_folder.h"
#include "learn/training/seeds.h"

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

// One run of pretrain().
class Pretrainer {
 public:
  Pretrainer(Disk& disk, const PretrainOptions& options, Progress& progress,
             const std::atomic<bool>& stop, TokenCorpus corpus, LanguageBundle bundle, Json origin)
      : disk_(disk),
        options_(options),
        progress_(progress),
        stop_(stop),
        folder_(disk, options.out),
        corpus_(std::move(corpus)),
        bundle_(std::move(bundle)),
        origin_(std::move(origin)),
        optimiser_(learning_weights(*bundle_.model), adam_options(options)) {}

  Result<Json> run() {
    options_.bfloat16 =
        options_.bfloat16 && cpu_has_bfloat16() && is_decoder(bundle_.shape.architecture);
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
            {"separator", options_.separator},
            {"base", origin_},
            {"shape", to_json(bundle_.shape)},
            {"context", length()},
            {"batch", options_.batch},
            {"at_once", options_.at_once},
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

  // Tokens of one stretch of text.
  [[nodiscard]] std::int64_t length() const {
    return std::min(options_.shape.context, bundle_.shape.context);
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

  // Computes `at_once` stretches at a time; the gradient is that of all together.
  Result<double> add_gradients(const Blocks& blocks) {
    bundle_.model->train();
    optimiser_.zero_gradients();
    const std::int64_t rows = blocks.ids.size(0);
    const std::int64_t stride = options_.at_once > 0 ? options_.at_once : rows;
    double sum = 0;
    for (std::int64_t at = 0; at < rows; at += stride) {
      const std::int64_t some = std::min(stride, rows - at);
      const double share = double(some) / double(rows);
      const torch::Tensor loss =
          loss_of({blocks.ids.narrow(0, at, some), blocks.targets.narrow(0, at, some)}) * share;
      const double value = loss.item<double>();
      if (!std::isfinite(value)) {
        return Error{Code::kModelFailed, "the loss is not a number at step " +
                                             std::to_string(state_.step) + ": lower --rate"};
      }
      loss.backward();
      sum += value;
    }
    return sum;
  }

  Status learn() {
    const Clock::time_point begin = Clock::now();
    const auto seed = mix_seed(static_cast<std::uint64_t>(options_.seed),
                               static_cast<std::uint64_t>(state_.step));
    torch::manual_seed(seed);
    const Blocks blocks = random_blocks(corpus_.train, options_.batch, length(), seed);
    QIAO_ASSIGN(loss_, add_gradients(blocks));
    const double share = warmup_cosine(state_.step, options_.steps, options_.warmup, kRateFloor);
    QIAO_TRY(optimiser_.step(options_.rate * share));
    progress_.step(state_.step + 1, loss_, blocks.ids.numel());
    seconds_ += std::chrono::duration<double>(Clock::now() - begin).count();
    return {};
  }

  // Mean loss over the held-out text: all of it, or kLookBatches batches spread over it.
  double held_out_loss(bool all) {
    const torch::NoGradGuard no_grad;
    bundle_.model->eval();
    const std::size_t batch = static_cast<std::size_t>(options_.batch * length());
    const std::size_t batches = (corpus_.held_out.size() - 1) / batch + 1;
    const std::size_t stride =
        all ? 1 : std::max<std::size_t>(1, batches / static_cast<std::size_t>(kLookBatches));
    double sum = 0;
    std::int64_t count = 0;
    for (std::size_t i = 0; i < batches; i += stride) {
      const Blocks blocks = next_blocks(corpus_.held_out, options_.batch, length(), i * batch);
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
    QIAO_TRY(show());
    if (best >= 0 && held_out >= best) return {};
    state_.notes["best"] = held_out;
    state_.notes["best_step"] = state_.step;
    return save_language_bundle(disk_, folder_.path(), bundle_);
  }

  // Lets the model go on with the beginning of the held-out text.
  Status show() {
    constexpr std::size_t kPromptTokens = 8;
    SampleOptions options{"", options_.written, 0.8, options_.seed};
    for (std::size_t i = 0; i < std::min(kPromptTokens, corpus_.held_out.size()); ++i) {
      options.prompt += bundle_.codec->decode(corpus_.held_out[i]);
    }
    if (options_.written < 1 || options.prompt.empty()) return {};
    QIAO_ASSIGN(const std::string text, sample(bundle_, options));
    std::string line = options.prompt + text;
    std::replace(line.begin(), line.end(), '\n', ' ');
    progress_.note("  " + line);
    return {};
  }

  Json card(double loss) {
    const double seconds = json_number(state_.notes, "seconds").value_or(0) + seconds_;
    const double tokens = double(options_.steps * options_.batch * length());
    return {{"kind", "language-model"},
            {"licence", origin_.is_null() ? "" : json_string(origin_, "licence").value_or("")},
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
    if (is_decoder(bundle_.shape.architecture)) {
      const std::string name = std::filesystem::path(options_.out).filename().string();
      const auto exported =
          export_decoder(disk_, folder_.path() + "/model.gguf", bundle_, GgufNumbers::kHalf, name);
      if (!exported) progress_.note(exported.error().message);  // the bundle is whole without it
    }
    QIAO_TRY(folder_.publish());
    return bundle_.card;
  }

  Disk& disk_;
  PretrainOptions options_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
  RunFolder folder_;
  TokenCorpus corpus_;
  LanguageBundle bundle_;
  Json origin_;  // the base, or null
  AdamW optimiser_;
  TrainState state_;
  double loss_ = 0;
  double seconds_ = 0;  // learning since the last save
};

Status check_options(Disk& disk, const PretrainOptions& options) {
  if (options.batch < 1 || options.at_once < 0 || options.shape.context < 1 || options.steps < 1 ||
      options.warmup < 0 || options.rate <= 0 || options.dropout < 0 || options.dropout >= 1 ||
      options.held_out <= 0 || options.held_out >= 1) {
    return invalid_argument("--batch, --steps, --rate, --dropout or --held-out is out of range");
  }
  return RunFolder(disk, options.out).check();
}

// A model of chance over the characters of the text.
Result<LanguageBundle> make_bundle(const PretrainOptions& options, const std::string& text) {
  QIAO_ASSIGN(Characters characters, Characters::of_text(text));
  auto codec = std::make_shared<CharacterCodec>(std::move(characters));
  LanguageModelShape shape = options.shape;
  shape.vocabulary = codec->size();
  shape = completed(shape);
  QIAO_TRY(check_shape(shape));
  torch::manual_seed(mix_seed(static_cast<std::uint64_t>(options.seed), UINT64_MAX));
  return LanguageBundle{shape, std::move(codec), make_language_model(shape, options.dropout), {}};
}

Result<LanguageBundle> take_base(const PretrainOptions& options, Json& origin) {
  QIAO_ASSIGN(DecoderBase base, open_decoder(options.base, options.dropout));
  origin = {{"name", base.name}, {"licence", base.licence}, {"sha256", base.sha256}};
  return std::move(base.bundle);
}

}  // namespace

Result<Json> pretrain(Disk& disk, const PretrainOptions& given, Progress& progress,
                      const std::atomic<bool>& stop) {
  PretrainOptions options = given;
  if (options.rate == 0) options.rate = options.base.empty() ? kRateFromNothing : kRateFromBase;
  QIAO_TRY(check_options(disk, options));
  QIAO_ASSIGN(const std::string text, read_gzip_file(options.text, kTextBytesMax));
  Json origin;
  QIAO_ASSIGN(LanguageBundle bundle,
              options.base.empty() ? make_bundle(options, text) : take_base(options, origin));
  const std::int64_t length = std::min(options.shape.context, bundle.shape.context);
  QIAO_ASSIGN(TokenCorpus corpus,
              make_corpus(text, *bundle.codec,
                          {options.text, options.separator, options.held_out, length + 1}));
  progress.note(
      tr(progress.language(), Text::kLearnPretrainPlan,
         {name_of(bundle.shape.architecture), std::to_string(count_weights(*bundle.model)),
          std::to_string(corpus.train.size()), std::to_string(bundle.shape.vocabulary),
          std::to_string(at::get_num_threads())}));
  Pretrainer pretrainer(disk, options, progress, stop, std::move(corpus), std::move(bundle),
                        std::move(origin));
  return pretrainer.run();
}

}  // namespace qiao::learn
