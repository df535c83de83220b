// SPDX-License-Identifier: Apache-2.0
#include "learn/training/pretrain.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/i18n.h"
#include "learn/data/text_blocks.h"
#include "learn/data/token_corpus.h"
#include "learn/files/decoder_gguf.h"
#include "learn/files/language_bundle.h"
#include "learn/training/optimiser.h"
#include "learn/training/option_check.h"
#include "learn/training/precision.h"
#include "learn/training/seeds.h"

namespace qiao::learn {
namespace {

constexpr std::int64_t kLookBatches = 20;

// One run of pretrain().
class Pretrainer final : public Learner {
 public:
  Pretrainer(Disk& disk, const PretrainOptions& options, Progress& progress,
             const std::atomic<bool>& stop, Ranks& ranks, TokenCorpus corpus, LanguageBundle bundle,
             Json origin)
      : disk_(disk),
        options_(options),
        progress_(progress),
        ranks_(ranks),
        corpus_(std::move(corpus)),
        bundle_(std::move(bundle)),
        origin_(std::move(origin)),
        optimiser_(learning_weights(*bundle_.model), adam_options(options)),
        loop_(disk, options_, length(), *this, ranks, optimiser_, progress, stop) {}

  Result<Json> run() {
    options_.bfloat16 =
        options_.bfloat16 && has_bfloat16() && is_decoder(bundle_.shape.architecture);
    QIAO_TRY(loop_.run(identity()));
    if (!ranks_.first()) return Json();
    return finish();
  }

  // Computes `at_once` stretches at a time; the gradient is that of all together.
  Result<double> add_gradients(std::int64_t step, std::int64_t begin, std::int64_t end) override {
    bundle_.model->train();
    const auto seed =
        mix_seed(static_cast<std::uint64_t>(options_.seed), static_cast<std::uint64_t>(step));
    const Blocks blocks = random_blocks(corpus_.train, options_.batch, length(), seed);
    const std::int64_t stride = options_.at_once > 0 ? options_.at_once : options_.batch;
    double sum = 0;
    for (std::int64_t at = begin; at < end; at += stride) {
      const std::int64_t some = std::min(stride, end - at);
      sum += add_gradients_of({blocks.ids.narrow(0, at, some), blocks.targets.narrow(0, at, some)},
                              double(some) / double(options_.batch));
    }
    return sum;
  }

  // All of the held-out text, or kLookBatches batches spread over it.
  double held_out_loss(bool all) override {
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

  Status keep(const std::string& folder) override {
    return save_language_bundle(disk_, folder, bundle_);
  }

  // Lets the model go on with the beginning of the held-out text.
  Result<std::optional<std::string>> show() override {
    constexpr std::size_t kPromptTokens = 8;
    SampleOptions options{"", options_.written, 0.8, options_.seed};
    for (std::size_t i = 0; i < std::min(kPromptTokens, corpus_.held_out.size()); ++i) {
      options.prompt += bundle_.codec->decode(corpus_.held_out[i]);
    }
    if (options_.written < 1 || options.prompt.empty()) return std::optional<std::string>();
    QIAO_ASSIGN(const std::string text, sample(bundle_, options));
    std::string line = options.prompt + text;
    std::replace(line.begin(), line.end(), '\n', ' ');
    return std::optional<std::string>(std::move(line));
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
    adam.average = options.average;
    return adam;
  }

  [[nodiscard]] Json identity() const {
    return {{"text", corpus_.sha256},
            {"separator", options_.separator},
            {"base", origin_},
            {"tokenizer", fingerprint(*bundle_.codec)},
            {"shape", to_json(bundle_.shape)},
            {"context", length()},
            {"at_once", options_.at_once},
            {"weight_decay", options_.weight_decay},
            {"dropout", options_.dropout},
            {"held_out", options_.held_out},
            {"bfloat16", options_.bfloat16}};
  }

  // Tokens of one stretch of text.
  [[nodiscard]] std::int64_t length() const {
    return std::min(options_.shape.context, bundle_.shape.context);
  }

  torch::Tensor loss_of(const Blocks& blocks) {
    const Bfloat16Scope scope(options_.bfloat16);
    const torch::Tensor scores = bundle_.model->forward(blocks.ids).to(torch::kFloat);
    return torch::nn::functional::cross_entropy(scores.flatten(0, 1),
                                                blocks.targets.flatten().to(scores.device()));
  }

  double add_gradients_of(const Blocks& blocks, double share) {
    {
      const Bfloat16Scope scope(options_.bfloat16);
      const auto fused = bundle_.model->fused_gradients(blocks.ids, blocks.targets, share);
      if (fused) return *fused;
    }
    const torch::Tensor loss = loss_of(blocks) * share;
    loss.backward();
    return loss.item<double>();
  }

  Json card(double loss) {
    Json card = loop_.account();
    card["kind"] = "language-model";
    card["licence"] = origin_.is_null() ? "" : json_string(origin_, "licence").value_or("");
    card["data"] = {{"file", std::filesystem::path(options_.text).filename().string()},
                    {"sha256", corpus_.sha256},
                    {"train_tokens", corpus_.train.size()},
                    {"held_out_tokens", corpus_.held_out.size()}};
    if (corpus_.left_out) add_left_out(card["data"], *corpus_.left_out);
    card["weights"] = count_weights(*bundle_.model);
    card["validation_loss"] = loss;
    card["made_ms"] = SystemClock().wall_ms();
    return card;
  }

  Result<Json> finish() {
    QIAO_ASSIGN(const LanguageBundle best, load_language_bundle(loop_.folder()));
    bundle_.model = best.model;
    bundle_.card = card(held_out_loss(true));
    QIAO_TRY(save_language_bundle(disk_, loop_.folder(), bundle_));
    if (is_decoder(bundle_.shape.architecture)) {
      const std::string name = std::filesystem::path(options_.out).filename().string();
      const auto exported =
          export_decoder(disk_, loop_.folder() + "/model.gguf", bundle_, GgufNumbers::kHalf, name);
      if (!exported) progress_.note(exported.error().message);  // the bundle is whole without it
    }
    QIAO_TRY(loop_.publish());
    return bundle_.card;
  }

  Disk& disk_;
  PretrainOptions options_;
  Progress& progress_;
  Ranks& ranks_;
  TokenCorpus corpus_;
  LanguageBundle bundle_;
  Json origin_;  // the base, or null
  AdamW optimiser_;
  StepLoop loop_;
};

Status check_options(Disk& disk, const PretrainOptions& options) {
  QIAO_TRY(check_numbers({{"--rate", options.rate},
                          {"--weight-decay", options.weight_decay},
                          {"--dropout", options.dropout, true},
                          {"--held-out", options.held_out, true},
                          {"--average", options.average, true}}));
  if (options.batch < 1 || options.at_once < 0 || options.shape.context < 1 || options.steps < 1 ||
      options.warmup < kByLength || options.look_every < 1 || options.patience < 0 ||
      options.rate == 0 || options.held_out == 0) {
    return invalid_argument("--batch, --steps, --rate or --held-out is out of range");
  }
  return RunFolder(disk, options.out).check();
}

// A model of chance over the source's vocabulary.
Result<LanguageBundle> make_bundle(const PretrainOptions& options, const CorpusSource& source) {
  QIAO_ASSIGN(auto codec, source.codec(options.tokenizer));
  LanguageModelShape shape = options.shape;
  shape.vocabulary = codec->size();
  shape = completed(shape);
  QIAO_TRY(check_shape(shape));
  torch::manual_seed(mix_seed(static_cast<std::uint64_t>(options.seed), UINT64_MAX));
  return LanguageBundle{shape, std::move(codec), make_language_model(shape, options.dropout), {}};
}

Result<LanguageBundle> take_base(const PretrainOptions& options, Json& origin) {
  QIAO_ASSIGN(DecoderBase base, open_decoder(options.base, options.dropout));
  const Architecture own = base.bundle.shape.architecture;
  if (own != options.base_architecture.value_or(own)) {
    return invalid_argument("--arch " + std::string(name_of(*options.base_architecture)) + ": " +
                            options.base + " is of the architecture " + std::string(name_of(own)) +
                            ", which --base keeps: leave --arch out");
  }
  origin = {{"name", base.name}, {"licence", base.licence}, {"sha256", base.sha256}};
  return std::move(base.bundle);
}

}  // namespace

double rate_from_nothing(const LanguageModelShape& shape) {
  constexpr double kRate = 2e-3;
  constexpr double kWidth = 128;
  return kRate * std::min(1.0, kWidth / double(shape.width));
}

Result<Json> pretrain(Disk& disk, const PretrainOptions& given, Progress& progress,
                      const std::atomic<bool>& stop, Ranks& ranks) {
  PretrainOptions options = given;
  if (options.rate == 0)
    options.rate = options.base.empty() ? rate_from_nothing(options.shape) : kRateFromBase;
  QIAO_TRY(check_options(disk, options));
  QIAO_ASSIGN(const CorpusSource source, CorpusSource::open(options.text));
  Json origin;
  QIAO_ASSIGN(LanguageBundle bundle,
              options.base.empty() ? make_bundle(options, source) : take_base(options, origin));
  const std::int64_t length = std::min(options.shape.context, bundle.shape.context);
  QIAO_ASSIGN(TokenCorpus corpus, source.tokens(*bundle.codec, {options.text, options.separator,
                                                                options.held_out, length + 1}));
  progress.note(
      tr(progress.language(), Text::kLearnPretrainPlan,
         {name_of(bundle.shape.architecture), std::to_string(count_weights(*bundle.model)),
          std::to_string(corpus.train.size()), std::to_string(bundle.shape.vocabulary),
          std::to_string(at::get_num_threads())}));
  note_left_out(progress, corpus.left_out.value_or(LeftOut()),
                options.base.empty() ? options.tokenizer : options.base);
  Pretrainer pretrainer(disk, options, progress, stop, ranks, std::move(corpus), std::move(bundle),
                        std::move(origin));
  return pretrainer.run();
}

Result<Json> pretrain(Disk& disk, const PretrainOptions& options, Progress& progress,
                      const std::atomic<bool>& stop) {
  Ranks alone;
  return pretrain(disk, options, progress, stop, alone);
}

}  // namespace qiao::learn
