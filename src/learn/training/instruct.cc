// SPDX-License-Identifier: Apache-2.0
#include "learn/training/instruct.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/digest.h"
#include "base/i18n.h"
#include "base/random.h"
#include "learn/data/conversations.h"
#include "learn/files/decoder_gguf.h"
#include "learn/files/model_card.h"
#include "learn/files/tensor_file.h"
#include "learn/training/optimiser.h"
#include "learn/training/option_check.h"
#include "learn/training/precision.h"
#include "learn/training/run_folder.h"
#include "learn/training/seeds.h"

namespace qiao::learn {
namespace {

using Clock = std::chrono::steady_clock;
using Row = std::vector<model::TaughtToken>;

constexpr const char* kBestFile = "/adapter.safetensors";
constexpr std::size_t kDevShare = 20;
constexpr std::size_t kWindowBatches = 16;  // within which rows of like length come together

struct Lessons {
  std::string train_sha256;
  std::string dev_sha256;
  std::vector<Row> train;
  std::vector<Row> dev;
};

// One run of instruct().
class Instructor {
 public:
  Instructor(Disk& disk, const InstructOptions& options, Progress& progress,
             const std::atomic<bool>& stop, DecoderBase base, Lessons lessons)
      : disk_(disk),
        options_(options),
        progress_(progress),
        stop_(stop),
        folder_(disk, options.out),
        base_(std::move(base)),
        lessons_(std::move(lessons)),
        optimiser_(learning_weights(model()), AdamOptions()) {
    options_.bfloat16 = options_.bfloat16 && has_bfloat16();
    per_epoch_ = (std::int64_t(lessons_.train.size()) + options_.batch - 1) / options_.batch;
    steps_ = per_epoch_ * options_.epochs;
  }

  Result<Json> run() {
    state_.identity = identity();
    state_.notes = {{"best", -1.0}, {"curve", Json::array()}, {"seconds", 0.0}};
    QIAO_TRY(folder_.begin(options_.resume, steps_, state_, optimiser_, progress_));
    if (!state_.notes.contains("base_loss")) state_.notes["base_loss"] = dev_loss();
    progress_.begin(tr(progress_.language(), Text::kLearnInstruct), steps_, state_.step);
    while (state_.step < steps_) {
      if (stop_.load() || (options_.stop_after > 0 && state_.step == options_.stop_after)) {
        note_seconds();
        return folder_.stop(state_, steps_, optimiser_);
      }
      if (folder_.save_is_due()) {
        note_seconds();
        QIAO_TRY(folder_.save(state_, optimiser_));
      }
      QIAO_TRY(learn());
      ++state_.step;
      if (state_.step % per_epoch_ == 0) QIAO_TRY(look());
    }
    return finish();
  }

 private:
  LanguageModel& model() { return *base_.bundle.model; }

  static std::vector<LearningWeight> learning_weights(LanguageModel& model) {
    std::vector<LearningWeight> out;
    for (const auto& [name, tensor] : adapter_weights(model)) out.push_back({name, tensor});
    return out;
  }

  [[nodiscard]] Json identity() const {
    return {{"base", base_.sha256},
            {"train", lessons_.train_sha256},
            {"dev", lessons_.dev_sha256},
            {"lora", to_json(options_.lora)},
            {"epochs", options_.epochs},
            {"batch", options_.batch},
            {"at_once", options_.at_once},
            {"rate", options_.rate},
            {"warmup", options_.warmup},
            {"tokens", options_.tokens},
            {"seed", options_.seed},
            {"bfloat16", options_.bfloat16},
            {"threads", at::get_num_threads()}};
  }

  void note_seconds() {
    state_.notes["seconds"] = json_number(state_.notes, "seconds").value_or(0) + seconds_;
    seconds_ = 0;
  }

  // The rows of one epoch in their order: of chance, but like lengths near each other.
  std::vector<const Row*> order_of(std::int64_t epoch) const {
    std::vector<const Row*> rows;
    for (const Row& row : lessons_.train) rows.push_back(&row);
    Rng rng(
        mix_seed(static_cast<std::uint64_t>(options_.seed), ~static_cast<std::uint64_t>(epoch)));
    for (std::size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[rng.below(i)]);
    const std::size_t window = kWindowBatches * static_cast<std::size_t>(options_.batch);
    for (std::size_t at = 0; at < rows.size(); at += window) {
      const auto begin = rows.begin() + std::ptrdiff_t(at);
      const auto end = rows.begin() + std::ptrdiff_t(std::min(at + window, rows.size()));
      std::stable_sort(begin, end,
                       [](const Row* a, const Row* b) { return a->size() < b->size(); });
    }
    return rows;
  }

  // The sum of the losses of all taught tokens.
  torch::Tensor loss_sum(const TaughtBatch& batch) {
    const Bfloat16Scope scope(options_.bfloat16);
    const torch::Tensor hidden = model().hidden(batch.ids).flatten(0, 1);
    const torch::Tensor scores =
        model().scores(hidden.index_select(0, batch.places.to(hidden.device())));
    return torch::nn::functional::cross_entropy(
        scores.to(torch::kFloat), batch.targets.to(scores.device()),
        torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum));
  }

  // Calls `use` with at most `at_once` rows after the other.
  template <class Use>
  void each_part(const std::vector<const Row*>& rows, const Use& use) const {
    const std::size_t stride = options_.at_once > 0 ? std::size_t(options_.at_once) : rows.size();
    for (std::size_t at = 0; at < rows.size(); at += stride) {
      const std::size_t end = std::min(at + stride, rows.size());
      use(make_taught_batch(
          {rows.begin() + std::ptrdiff_t(at), rows.begin() + std::ptrdiff_t(end)}));
    }
  }

  Status learn() {
    const Clock::time_point begin = Clock::now();
    torch::manual_seed(mix_seed(static_cast<std::uint64_t>(options_.seed),
                                static_cast<std::uint64_t>(state_.step)));
    const std::int64_t epoch = state_.step / per_epoch_;
    if (epoch != ordered_epoch_) order_ = order_of(epoch);
    ordered_epoch_ = epoch;
    const auto first = static_cast<std::size_t>(state_.step % per_epoch_ * options_.batch);
    const std::size_t last = std::min(first + std::size_t(options_.batch), order_.size());
    const std::vector<const Row*> rows(order_.begin() + std::ptrdiff_t(first),
                                       order_.begin() + std::ptrdiff_t(last));
    std::int64_t taught = 0;
    std::int64_t tokens = 0;
    for (const Row* row : rows) {
      tokens += std::int64_t(row->size());
      taught += std::count_if(row->begin() + 1, row->end(), [](auto& one) { return one.taught; });
    }
    model().train();
    optimiser_.zero_gradients();
    double value = 0;
    each_part(rows, [&](const TaughtBatch& batch) {
      const torch::Tensor loss = loss_sum(batch) / double(taught);
      value += loss.item<double>();
      if (std::isfinite(value)) loss.backward();
    });
    if (!std::isfinite(value)) {
      return Error{Code::kModelFailed, "the loss is not a number at step " +
                                           std::to_string(state_.step) + ": lower --rate"};
    }
    const auto warmup = static_cast<std::int64_t>(options_.warmup * double(steps_));
    QIAO_TRY(optimiser_.step(options_.rate * warmup_cosine(state_.step, steps_, warmup, 0)));
    progress_.step(state_.step + 1, value, tokens);
    loss_ = value;
    tokens_ += tokens;
    seconds_ += std::chrono::duration<double>(Clock::now() - begin).count();
    return {};
  }

  // Mean loss of a taught token of dev.
  double dev_loss() {
    const torch::NoGradGuard no_grad;
    model().eval();
    double sum = 0;
    double count = 0;
    const std::size_t stride = std::size_t(options_.batch);
    for (std::size_t at = 0; at < lessons_.dev.size(); at += stride) {
      std::vector<const Row*> rows;
      for (std::size_t i = at; i < std::min(at + stride, lessons_.dev.size()); ++i) {
        rows.push_back(&lessons_.dev[i]);
      }
      each_part(rows, [&](const TaughtBatch& batch) {
        sum += loss_sum(batch).item<double>();
        count += double(batch.targets.numel());
      });
    }
    return sum / std::max(1.0, count);
  }

  Status look() {
    const double loss = dev_loss();
    const double best = json_number(state_.notes, "best").value_or(-1);
    state_.epoch = state_.step / per_epoch_;
    state_.notes["curve"].push_back({{"step", state_.step}, {"loss", loss_}, {"dev_loss", loss}});
    QIAO_TRY(folder_.tell(state_.step, {{"loss/train", loss_}, {"loss/dev", loss}}));
    progress_.note(tr(progress_.language(), Text::kLearnInstructEpoch,
                      {std::to_string(state_.epoch), fixed_text(loss_, 4), fixed_text(loss, 4)}));
    if (best >= 0 && loss >= best) return {};
    state_.notes["best"] = loss;
    state_.notes["best_epoch"] = state_.epoch;
    return save_tensors(disk_, folder_.path() + kBestFile, adapter_weights(model()));
  }

  Json card() {
    note_seconds();
    return {{"kind", "instructed-decoder"},
            {"base", {{"name", base_.name}, {"sha256", base_.sha256}}},
            {"licence", base_.licence},
            {"data",
             {{"train", std::filesystem::path(options_.train).filename().string()},
              {"train_sha256", lessons_.train_sha256},
              {"train_conversations", lessons_.train.size()},
              {"dev_sha256", lessons_.dev_sha256},
              {"dev_conversations", lessons_.dev.size()}}},
            {"options", state_.identity},
            {"base_loss", state_.notes["base_loss"]},
            {"dev_loss", state_.notes["best"]},
            {"best_epoch", state_.notes["best_epoch"]},
            {"curve", state_.notes["curve"]},
            {"seconds", state_.notes["seconds"]},
            {"made_ms", SystemClock().wall_ms()}};
  }

  Result<Json> finish() {
    QIAO_TRY(load_tensors(folder_.path() + kBestFile, adapter_weights(model())));
    model().eval();
    const std::string name = std::filesystem::path(options_.out).filename().string();
    const Architecture architecture = base_.bundle.shape.architecture;
    QIAO_TRY(export_adapter(disk_, folder_.path() + "/adapter.gguf", model(), architecture,
                            options_.lora, name));
    merge_adapters(model());
    QIAO_TRY(export_decoder(disk_, folder_.path() + "/model.gguf", base_.bundle, GgufNumbers::kHalf,
                            name));
    const Json written = card();
    QIAO_TRY(write_card(disk_, folder_.path(), written));
    QIAO_TRY(disk_.remove(folder_.path() + kBestFile));
    QIAO_TRY(folder_.publish());
    return written;
  }

  Disk& disk_;
  InstructOptions options_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
  RunFolder folder_;
  DecoderBase base_;
  Lessons lessons_;
  AdamW optimiser_;
  TrainState state_;
  std::int64_t per_epoch_ = 0;
  std::int64_t steps_ = 0;
  std::int64_t ordered_epoch_ = -1;
  std::vector<const Row*> order_;
  std::int64_t tokens_ = 0;
  double loss_ = 0;
  double seconds_ = 0;  // learning since the last save
};

Status check_options(Disk& disk, const InstructOptions& options) {
  QIAO_TRY(check_numbers({{"--rate", options.rate}, {"--warmup", options.warmup, true}}));
  if (options.batch < 1 || options.epochs < 1 || options.at_once < 0 || options.tokens < 2 ||
      options.rate == 0) {
    return invalid_argument("--batch, --epochs, --at-once, --tokens or --rate is out of range");
  }
  QIAO_TRY(check(options.lora));
  return RunFolder(disk, options.out).check();
}

Result<Lessons> read_lessons(const InstructOptions& options, const DecoderBase& base,
                             Progress& progress) {
  const auto* codec = dynamic_cast<const GgufCodec*>(base.bundle.codec.get());
  if (codec == nullptr) {
    return Error{Code::kUnsupported,
                 "a model of characters has no chat form: start from a GGUF that has one"};
  }
  const auto longest = std::size_t(std::min(options.tokens, base.bundle.shape.context));
  Lessons lessons;
  std::size_t all = 0;
  TaughtTexts lost;
  const auto read = [&](const std::string& path, std::vector<Row>& rows) -> Status {
    QIAO_ASSIGN(const auto conversations, read_conversations(path));
    QIAO_ASSIGN(TaughtTexts texts, encode_conversations(conversations, codec->tokens(), longest));
    all += conversations.size();
    lost.cut += texts.cut;
    lost.left += texts.left;
    rows = std::move(texts.rows);
    return {};
  };
  QIAO_TRY(read(options.train, lessons.train));
  QIAO_ASSIGN(lessons.train_sha256, sha256_file_hex(options.train));
  if (!options.dev.empty()) {
    QIAO_TRY(read(options.dev, lessons.dev));
    QIAO_ASSIGN(lessons.dev_sha256, sha256_file_hex(options.dev));
  } else {
    const std::size_t held = std::max<std::size_t>(1, lessons.train.size() / kDevShare);
    if (lessons.train.size() < 2) return invalid_argument(options.train + " is too short");
    const auto cut = lessons.train.end() - std::ptrdiff_t(held);
    lessons.dev.assign(cut, lessons.train.end());
    lessons.train.erase(cut, lessons.train.end());
  }
  if (lost.cut > 0) {
    progress.note(tr(progress.language(), Text::kLearnConversationsLeft,
                     {std::to_string(lost.cut), std::to_string(all), std::to_string(longest),
                      std::to_string(lost.left)}));
  }
  return lessons;
}

}  // namespace

Result<Json> instruct(Disk& disk, const InstructOptions& options, Progress& progress,
                      const std::atomic<bool>& stop) {
  QIAO_TRY(check_options(disk, options));
  QIAO_ASSIGN(DecoderBase base, open_decoder(options.base, 0));
  QIAO_ASSIGN(Lessons lessons, read_lessons(options, base, progress));
  const std::int64_t fixed_weights = count_weights(*base.bundle.model);
  torch::manual_seed(mix_seed(static_cast<std::uint64_t>(options.seed), UINT64_MAX));
  QIAO_TRY(add_adapters(*base.bundle.model, options.lora));
  progress.note(
      tr(progress.language(), Text::kLearnInstructPlan,
         {base.name, std::to_string(lessons.train.size()), std::to_string(lessons.dev.size()),
          std::to_string(count_weights(*base.bundle.model) - fixed_weights),
          std::to_string(fixed_weights), std::to_string(at::get_num_threads())}));
  Instructor instructor(disk, options, progress, stop, std::move(base), std::move(lessons));
  return instructor.run();
}

}  // namespace qiao::learn
