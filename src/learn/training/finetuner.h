// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "learn/evaluation/evaluate.h"
#include "learn/files/bundle.h"
#include "learn/training/finetune.h"
#include "learn/training/optimiser.h"
#include "learn/training/run_folder.h"
#include "learn/training/task_loss.h"
#include "learn/training/teacher.h"

namespace qiao::learn {

// What a run starts from.
struct FinetuneStart {
  RowFile train;
  RowFile dev;
  Json base;  // name, sha256, licence
  Bundle bundle;
  std::function<Result<Teacher>()> teacher = nullptr;  // called once; null: the rows alone teach
  Json taught = false;  // with a teacher, what else makes it another training
};

// One training of a bundle's model on labelled rows: epochs, looks at dev, the best one kept.
// finetune() and distil() make it. `disk`, `progress` and `stop` must outlive it; one thread.
class Finetuner {
 public:
  Finetuner(Disk& disk, const FinetuneOptions& options, Progress& progress,
            const std::atomic<bool>& stop, FinetuneStart start);
  Finetuner(const Finetuner&) = delete;
  Finetuner& operator=(const Finetuner&) = delete;

  // Trains, writes the bundle and returns its card. With `resume` a run of the same identity that
  // is finished is taken as it is; `precondition` when what stands there is of another.
  Result<Json> run();

 private:
  using Chosen = std::vector<std::size_t>;

  void prepare();
  [[nodiscard]] Result<Json> finished() const;
  void set_scale();
  void tell_lora();
  [[nodiscard]] Json identity() const;
  [[nodiscard]] std::vector<Chosen> batches_of(std::int64_t epoch) const;
  [[nodiscard]] std::uint64_t seed() const { return static_cast<std::uint64_t>(options_.seed); }
  [[nodiscard]] bool stalled() const;
  [[nodiscard]] bool stop_wanted() const;
  // Rounds of contrast come first and count as epochs of the state.
  [[nodiscard]] bool contrasting() const { return state_.epoch < options_.contrast; }
  [[nodiscard]] std::int64_t epochs_done() const { return state_.epoch - options_.contrast; }
  [[nodiscard]] std::string stage() const;
  [[nodiscard]] double rate() const;
  Status run_epoch();
  Result<double> learn(const Chosen& chosen);
  void learn_against_push(const Batch& batch, const Chosen& chosen);
  torch::Tensor loss_of(const Batch& batch, const Chosen& chosen);
  torch::Tensor with_another_dropout(const torch::Tensor& loss, const TextOutput& output,
                                     const Batch& batch, const LabelLoss& how);
  [[nodiscard]] Error not_a_number(const Chosen& chosen) const;
  Status end_epoch();
  Status end_contrast();
  void begin_next();
  void note_epoch(const Report& report, bool best);
  Result<Json> calibration();
  [[nodiscard]] Json heads_calibration(const torch::Tensor& scores,
                                       const torch::Tensor& targets) const;
  [[nodiscard]] Json card() const;

  Disk& disk_;
  FinetuneOptions options_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
  FinetuneStart start_;
  std::optional<Teacher> teacher_;
  RunFolder folder_;
  AdamW optimiser_;
  Exam exam_;
  std::vector<Example> examples_;
  torch::Tensor class_weights_;
  TrainState state_;
  std::int64_t steps_ = 0;
  std::int64_t contrast_steps_ = 0;  // of them, the first
  double epoch_loss_ = 0;
  double seconds_ = 0;
};

}  // namespace qiao::learn
