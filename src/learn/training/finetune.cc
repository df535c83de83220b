// SPDX-License-Identifier: Apache-2.0
#include "learn/training/finetune.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>

#include "base/i18n.h"
#include "learn/files/base_model.h"
#include "learn/training/finetuner.h"
#include "learn/training/seeds.h"

namespace qiao::learn {
namespace {

constexpr double kUnknownDevMax = 0.2;  // share of dev rows with labels train lacks

Status check_options(const FinetuneOptions& options) {
  if (options.batch < 1 || options.epochs < 0 || options.tokens_max < 2) {
    return invalid_argument("--batch, --epochs and --tokens must be positive");
  }
  if (options.rate <= 0 || options.dropout < 0 || options.dropout >= 1 || options.smoothing < 0 ||
      options.smoothing >= 1 || options.warmup < 0 || options.warmup >= 1) {
    return invalid_argument("--rate, --dropout, --smoothing or --warmup is out of range");
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

Status check_dev(const RowFile& train, const RowFile& dev, const Labels& labels,
                 Progress& progress) {
  const UnknownLabels unknown = find_unknown(dev, labels);
  if (unknown.rows == 0) return {};
  if (static_cast<double>(unknown.rows) > kUnknownDevMax * static_cast<double>(dev.rows.size())) {
    return invalid_argument(unknown.first + " is no label of " + train.path + ", and so with " +
                            std::to_string(unknown.rows) + " rows: do the files belong together?");
  }
  progress.note(tr(progress.language(), Text::kLearnUnknownLabel,
                   {unknown.first, std::to_string(unknown.rows)}));
  return {};
}

Result<Json> finetune(Disk& disk, const FinetuneOptions& options, Progress& progress,
                      const std::atomic<bool>& stop) {
  QIAO_TRY(check_options(options));
  QIAO_TRY(RunFolder(disk, options.out).check());
  QIAO_ASSIGN(RowFile train, read_rows(options.train, options.task));
  QIAO_ASSIGN(RowFile dev, read_rows(options.dev, options.task));
  QIAO_ASSIGN(Labels labels, Labels::of_rows(train, options.task));
  QIAO_TRY(check_dev(train, dev, labels, progress));
  QIAO_ASSIGN(BaseModel base, open_base(options.base));
  progress.note(tr(progress.language(), Text::kLearnPlan,
                   {base.name, std::to_string(train.rows.size()), std::to_string(dev.rows.size()),
                    std::to_string(labels.size()), std::to_string(at::get_num_threads())}));
  QIAO_ASSIGN(Bundle bundle, bundle_of(base, options, std::move(labels)));
  const Json about = {{"name", base.name}, {"sha256", base.sha256}, {"licence", base.licence}};
  Finetuner finetuner(disk, options, progress, stop,
                      {std::move(train), std::move(dev), about, std::move(bundle), {}});
  return finetuner.run();
}

}  // namespace qiao::learn
