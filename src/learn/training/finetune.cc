// SPDX-License-Identifier: Apache-2.0
#include "learn/training/finetune.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <tuple>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/i18n.h"
#include "learn/files/base_model.h"
#include "learn/files/model_card.h"
#include "learn/models/lora.h"
#include "learn/training/finetuner.h"
#include "learn/training/option_check.h"
#include "learn/training/seeds.h"

namespace qiao::learn {
namespace {

constexpr std::int64_t kRunsMax = 100;  // seeds, and folds
constexpr std::int64_t kContrastMax = 1'000;
constexpr std::int64_t kTokensMin = 5;  // two texts of one piece
constexpr double kUnknownMax = 0.2;     // share of rows with labels that are not known

// The base with a fresh head. Takes the base's tokenizer.
Result<Bundle> bundle_of(BaseModel& base, const FinetuneOptions& options, Labels labels) {
  torch::manual_seed(mix_seed(static_cast<std::uint64_t>(options.seed), 0));
  TextModel model(base.shape, options.task, static_cast<std::int64_t>(labels.size()),
                  options.dropout);
  if (options.task == Task::kPair && base.shape.types < 2) {
    return Error{Code::kUnsupported, base.name + " has no second token type: it takes no pairs"};
  }
  if (options.lora > 0 && base.shape.is_table()) {
    return Error{Code::kUnsupported, base.name + " has no layers: --lora has nothing to adapt"};
  }
  QIAO_TRY(load_weights(weights_of(model->encoder), *base.weights));
  if (options.lora > 0) QIAO_TRY(add_adapters(*model->encoder, encoder_lora(options.lora)));
  const auto tokens_max =
      static_cast<std::size_t>(std::min(options.tokens_max, base.shape.positions));
  return Bundle{base.shape,        options.task, tokens_max, std::move(base.tokenizer),
                std::move(labels), model,        {}};
}

struct Rows {
  RowFile train;
  RowFile dev;
};

// What every run needs, and where it tells of itself.
struct Place {
  Disk& disk;
  Progress& progress;
  const std::atomic<bool>& stop;
};

Result<Json> train_once(const Place& place, const FinetuneOptions& options, Rows rows) {
  QIAO_ASSIGN(Labels labels, Labels::of_rows(rows.train, options.task));
  QIAO_TRY(check_labels(rows.dev, labels, rows.train.path, place.progress));
  QIAO_ASSIGN(BaseModel base, open_base(options.base));
  place.progress.note(
      tr(place.progress.language(), Text::kLearnPlan,
         {base.name, std::to_string(rows.train.rows.size()), std::to_string(rows.dev.rows.size()),
          std::to_string(labels.size()), std::to_string(at::get_num_threads())}));
  QIAO_ASSIGN(Bundle bundle, bundle_of(base, options, std::move(labels)));
  const Json about = {{"name", base.name}, {"sha256", base.sha256}, {"licence", base.licence}};
  Finetuner finetuner(place.disk, options, place.progress, place.stop,
                      {std::move(rows.train), std::move(rows.dev), about, std::move(bundle)});
  return finetuner.run();
}

double figure_of(const Json& card, Task task) {
  return json_number(card["dev"], quality_name(task)).value_or(0);
}

void forget(const std::string& folder) {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

// One of several runs, into a folder of its own: begun, gone on with, or taken as it is.
Result<Json> train_one_of(const Place& place, FinetuneOptions options, Rows rows) {
  const bool done = options.resume && place.disk.exists(options.out + "/card.json");
  const bool begun = options.resume && place.disk.exists(options.out + ".partial/state.json");
  if (!done) QIAO_TRY(RunFolder(place.disk, options.out).check());
  options.resume = done || begun;
  return train_once(place, options, std::move(rows));
}

// The best run becomes `out`, with what the folds told in its card.
Result<Json> train_best_of_seeds(const Place& place, const FinetuneOptions& options,
                                 const Rows& rows, const Json& folds) {
  Json tried = Json::array();
  Json best;
  std::vector<std::string> folders;
  std::size_t best_at = 0;
  for (std::int64_t i = 0; i < options.seeds; ++i) {
    FinetuneOptions one = options;
    one.seed = options.seed + i;
    one.out += ".seed" + std::to_string(one.seed);
    QIAO_ASSIGN(Json card, train_one_of(place, one, rows));
    const double figure = figure_of(card, options.task);
    tried.push_back({{"seed", one.seed}, {"dev", figure}});
    if (best.is_null() || figure > figure_of(best, options.task)) {
      best = std::move(card);
      best_at = folders.size();
    }
    folders.push_back(one.out);
  }
  best["seeds"] = std::move(tried);
  if (!folds.is_null()) best["folds"] = folds;
  const std::string& kept = folders[best_at];
  QIAO_TRY(write_card(place.disk, kept, best));
  QIAO_TRY(place.disk.rename(kept, options.out));
  for (const std::string& folder : folders) forget(folder);
  return best;
}

// `fold` of `folds` parts of the rows to measure on, the others to learn from. Each part has its
// share of every label, and of small and large numbers, and a sum of its own.
Rows split(const RowFile& file, std::int64_t fold, std::int64_t folds) {
  std::vector<const Row*> sorted;
  for (const Row& row : file.rows) sorted.push_back(&row);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Row* a, const Row* b) {
    return std::tie(a->label, a->number, a->labels) < std::tie(b->label, b->number, b->labels);
  });
  const std::string part =
      file.sha256 + " part " + std::to_string(fold + 1) + " of " + std::to_string(folds);
  Rows parts{{file.path, sha256_hex(part + " left out"), {}}, {file.path, sha256_hex(part), {}}};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const bool held_out = static_cast<std::int64_t>(i) % folds == fold;
    (held_out ? parts.dev : parts.train).rows.push_back(*sorted[i]);
  }
  return parts;
}

std::string fold_folder(const FinetuneOptions& options, std::int64_t fold) {
  return options.out + ".fold" + std::to_string(fold + 1);
}

// Mean and standard deviation of what the parts give.
Result<Json> cross_validate(const Place& place, const FinetuneOptions& options,
                            const RowFile& train) {
  if (static_cast<std::int64_t>(train.rows.size()) < 2 * options.folds) {
    return invalid_argument(train.path + " has too few rows for --folds " +
                            std::to_string(options.folds));
  }
  std::vector<double> figures;
  for (std::int64_t fold = 0; fold < options.folds; ++fold) {
    FinetuneOptions one = options;
    one.out = fold_folder(options, fold);
    QIAO_ASSIGN(const Json card, train_one_of(place, one, split(train, fold, options.folds)));
    figures.push_back(figure_of(card, options.task));
  }
  const auto count = static_cast<double>(figures.size());
  double mean = 0;
  for (const double figure : figures) mean += figure / count;
  double squares = 0;
  for (const double figure : figures) squares += (figure - mean) * (figure - mean);
  const double deviation = std::sqrt(squares / (count - 1));
  place.progress.note(
      tr(place.progress.language(), Text::kLearnFolds,
         {std::to_string(options.folds), percent_text(mean), percent_text(deviation)}));
  return Json{{"figures", figures}, {"mean", mean}, {"deviation", deviation}};
}

}  // namespace

Status check_options(const FinetuneOptions& options) {
  if (options.batch < 0 || options.epochs < 0 || options.tokens_max < kTokensMin) {
    return invalid_argument("--batch, --epochs and --tokens must be positive");
  }
  if (options.seeds < 1 || options.seeds > kRunsMax || options.folds < 0 || options.folds == 1 ||
      options.folds > kRunsMax) {
    return invalid_argument("--seeds must be from 1 to 100, --folds from 2 to 100");
  }
  if (options.contrast < 0 || options.contrast > kContrastMax ||
      (options.contrast > 0 && !gives_label(options.task))) {
    return invalid_argument("--contrast takes 0 to 1,000 rounds, with the task classify or pair");
  }
  if (options.lora < 0) return invalid_argument("--lora takes a rank, or 0 for none");
  if (options.lora > 0) QIAO_TRY(check(encoder_lora(options.lora)));
  if (options.lora > 0 && options.adversary > 0) {
    return invalid_argument("--adversary pushes the word vectors, which --lora leaves as they are");
  }
  QIAO_TRY(check_numbers({{"--rate", options.rate},
                          {"--head-rate", options.head_rate},
                          {"--layer-decay", options.layer_decay},
                          {"--adversary", options.adversary},
                          {"--r-drop", options.r_drop == kByTask ? 0 : options.r_drop},
                          {"--warmup", options.warmup, true},
                          {"--dropout", options.dropout, true},
                          {"--smoothing", options.smoothing, true}}));
  if (options.class_weights && !gives_label(options.task) && options.task != Task::kHeads) {
    return invalid_argument(
        "--class-weights is for labels of texts and pairs: tags are learnt in chains, numbers have "
        "none");
  }
  return {};
}

Status check_labels(const RowFile& rows, const Labels& labels, const std::string& whose,
                    Progress& progress) {
  QIAO_TRY(check_heads(rows, labels));
  const UnknownLabels unknown = find_unknown(rows, labels);
  if (unknown.rows == 0) return {};
  if (static_cast<double>(unknown.rows) > kUnknownMax * static_cast<double>(rows.rows.size())) {
    return invalid_argument(unknown.first + " is no label of " + whose + ", and so with " +
                            std::to_string(unknown.rows) + " rows: do they belong together?");
  }
  progress.note(tr(progress.language(), Text::kLearnUnknownLabel,
                   {unknown.first, std::to_string(unknown.rows)}));
  return {};
}

Result<Json> finetune(Disk& disk, const FinetuneOptions& options, Progress& progress,
                      const std::atomic<bool>& stop) {
  QIAO_TRY(check_options(options));
  QIAO_TRY(RunFolder(disk, options.out).check());
  Rows rows;
  QIAO_ASSIGN(rows.train, read_rows(options.train, options.task));
  QIAO_ASSIGN(rows.dev, read_rows(options.dev, options.task));
  const Place place{disk, progress, stop};
  if (options.seeds == 1 && options.folds == 0) return train_once(place, options, std::move(rows));
  Json folds;
  if (options.folds > 0) {
    QIAO_ASSIGN(folds, cross_validate(place, options, rows.train));
  }
  QIAO_ASSIGN(Json card, train_best_of_seeds(place, options, rows, folds));
  for (std::int64_t fold = 0; fold < options.folds; ++fold) forget(fold_folder(options, fold));
  return card;
}

}  // namespace qiao::learn
